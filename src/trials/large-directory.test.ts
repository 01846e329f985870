/** What a change in a HAMT directory costs: the nodes on its way, and no others. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { freshRoot, TestHome } from '../testing/run.ts';

test('an entry that is added, altered or removed among 2,600 stores a handful of nodes, and the root is that of a fresh add', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'shardctl-large-'));
  const home = await TestHome.create();
  try {
    const pool = join(dir, 'pool');
    mkdirSync(pool);
    for (let i = 0; i < 2600; i++) writeFileSync(join(pool, `package-with-a-name-that-is-as-long-as-they-are-${i}_1.0_amd64.deb`), `${i}`);
    await sleep(50);
    await home.add(dir);
    for (const [change, blocks] of [
      [() => writeFileSync(join(pool, 'new'), 'new'), 2],
      [() => writeFileSync(join(pool, 'new'), 'other'), 2],
      [() => rmSync(join(pool, 'new')), 0],
    ] as const) {
      change();
      await sleep(50);
      const { summary } = await home.add(dir);
      // The file's own, then the node of the slot, perhaps one below it, the directory's root, and the tree's.
      assert.ok(summary.newBlocks >= blocks && summary.newBlocks <= blocks + 5, `${summary.newBlocks} blocks`);
      assert.equal(summary.tree, await freshRoot(dir));
    }
    assert.deepEqual(await home.damage(), []);
  } finally {
    home.remove();
    rmSync(dir, { recursive: true });
  }
});
