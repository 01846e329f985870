/** Dies at the Nth write of an `rm` and of a `rename`: a repository is there, whole and by one name, or it is gone; nothing is left over. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { readHead } from '../../home/heads.ts';
import { noteDoubt, readDoubt } from '../../index/files/doubts.ts';
import { sampled } from '../../testing/depth.ts';
import { killedAtEachWrite } from '../../testing/killed.ts';
import { assertNoOrphans, assertWhole, pruneHome, removeFrom, renameIn, SHARD_BYTES, withIndex } from '../../testing/retention.ts';
import { TestHome } from '../../testing/run.ts';
import { writeTree } from '../../testing/tree.ts';

let dir: string;
let source: string;
/** A home with two repositories that have a file in common. */
let template: TestHome;

before(async () => {
  dir = mkdtempSync(join(tmpdir(), 'shardctl-rm-crash-'));
  source = writeTree(join(dir, 'source'), { a: Buffer.alloc(30_000, 'a'), b: Buffer.alloc(30_000, 'b') });
  template = await TestHome.create({ one: {} });
  await template.add(source, { shardBytes: SHARD_BYTES });
  const other = writeTree(join(dir, 'other'), { a: Buffer.alloc(30_000, 'a') });
  await template.add(other, { shardBytes: SHARD_BYTES, repository: 'other' });
  await withIndex(template, async (index) => noteDoubt(index.doubtOf('test')));
});
after(() => {
  template.remove();
  rmSync(dir, { recursive: true, force: true });
});

function repositoriesOf(home: TestHome): Promise<string[]> {
  return withIndex(home, async (index) => index.repositories().map(({ name }) => name));
}

/** Of everything that is kept under a repository's name: who has something there. */
function namedIn(home: TestHome): Record<string, string[]> {
  const list = (...path: string[]) => {
    try {
      return readdirSync(join(home.dir, ...path)).sort();
    } catch {
      return [];
    }
  };
  return { heads: list('heads'), entries: list('index', 'entries'), pending: list('index', 'pending'), doubts: list('index', 'doubts') };
}

test('killed at any write of an rm, the repository is whole or gone, and what is left of it goes', async () => {
  const step = (n: number) => sampled(41, n < 12 ? 1 : 4);
  await killedAtEachWrite({ dir, template, peers: ['one'], action: 'rm', step, writes: 8 }, async (home, n, isOver) => {
    await assertWhole(home);
    const names = await repositoriesOf(home);
    if (names.includes('test')) await removeFrom(home, ['test']);
    else await pruneHome(home, { maxUnused: { percent: 100 } });
    assert.deepEqual(await repositoriesOf(home), ['other'], `write ${n}`);
    await assertWhole(home);
    await assertNoOrphans(home);
    const { doubts, ...named } = namedIn(home);
    assert.deepEqual(named, { heads: ['other'], entries: ['other'], pending: [] }, `write ${n}`);
    assert.ok(!isOver || doubts?.length === 0);
  });
});

test('killed at any write of a rename, the repository has one of the two names, and all that it has follows', async () => {
  const doubt = await withIndex(template, async (index) => readDoubt(index.doubtOf('test')));
  const step = (n: number) => sampled(41, n < 8 ? 3 : 2);
  await killedAtEachWrite({ dir, template, peers: ['one'], action: 'rename', step, writes: 15 }, async (home, n) => {
    await assertWhole(home);
    const [first, ...others] = (await repositoriesOf(home)).filter((name) => name !== 'other');
    assert.deepEqual(others, [], `write ${n}`);
    if (first === 'test') await renameIn(home, 'test', 'new');
    assert.deepEqual(await repositoriesOf(home), ['new', 'other'], `write ${n}`);
    await pruneHome(home, { maxUnused: { percent: 100 } });
    await assertWhole(home);
    await assertNoOrphans(home);
    assert.deepEqual(namedIn(home), { heads: ['new', 'other'], entries: ['new', 'other'], pending: [], doubts: ['new'] }, `write ${n}`);
    await withIndex(home, async (index) => {
      assert.equal(readDoubt(index.doubtOf('new')), doubt);
      assert.equal(readHead(join(home.dir, 'heads'), 'new'), index.snapshot('new', 1)?.cid);
      const entries = index.entries.read('new', 1);
      assert.ok(entries);
      entries.close();
    });
  });
});
