import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Owner } from '../../core/model.ts';
import { LocalPeer } from '../../peer/local/local.ts';
import { OTHER_OWNER, TEST_OWNER } from '../../testing/owner.ts';
import { recoverRun } from '../../testing/recover-run.ts';
import { SHARD_BYTES, snapshotsOf, withIndex } from '../../testing/retention.ts';
import { TestHome } from '../../testing/run.ts';
import { writeTree } from '../../testing/tree.ts';
import { recover, recoverable } from './recover.ts';
import type { RecoverRun } from './recover-run.ts';

/** The home that is made anew. */
const THIRD: Owner = { id: '333333333333', host: 'test', path: '/test/third' };

test('of two homes with a repository of one name each gets its own back: by its marks, or by the ID that is said', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'shardctl-choose-'));
  const homes: TestHome[] = [];
  const homeOf = async (owner: Owner) => {
    const home = await TestHome.create({});
    homes.push(home);
    home.peers.set('disk', await LocalPeer.create({ owner, name: 'disk', path: join(dir, 'disk'), layout: 'car' }));
    return home;
  };
  try {
    const added: string[][] = [];
    for (const [owner, content] of [
      [TEST_OWNER, 'a'],
      [OTHER_OWNER, 'z'],
    ] as const) {
      const home = await homeOf(owner);
      await home.add(writeTree(join(dir, content), { [content]: Buffer.alloc(60_000, content) }), { shardBytes: SHARD_BYTES });
      added.push(await withIndex(home, async (index) => snapshotsOf(index).map(({ cid }) => cid)));
    }
    const recovered = async (options: Partial<RecoverRun>) => {
      const home = await homeOf(THIRD);
      return await withIndex(home, async (index) => {
        await recover(recoverRun(home, index, options));
        return snapshotsOf(index).map(({ cid }) => cid);
      });
    };
    const whole = { code: 'USAGE', message: /two homes/, hint: /--owner/ };
    await assert.rejects(recovered({ wanted: ['test'], homeId: 'none' }), whole);
    await assert.rejects(recovered({ wanted: ['test'], owner: 'none' }), { code: 'NOT_FOUND' });
    assert.deepEqual(await recovered({ wanted: ['test'], homeId: TEST_OWNER.id }), added[0]);
    assert.deepEqual(await recovered({ owner: OTHER_OWNER.id }), added[1]);
    const { peers } = await homeOf(TEST_OWNER);
    const listed = await recoverable({ peers, emit: () => {}, signal: new AbortController().signal });
    assert.deepEqual(
      listed.map(({ snapshot, owners }) => [snapshot, owners]),
      [
        [added[1]?.[0], [THIRD.id, OTHER_OWNER.id]],
        [added[0]?.[0], [TEST_OWNER.id, THIRD.id]],
      ],
    );
  } finally {
    for (const home of homes) home.remove();
    rmSync(dir, { recursive: true, force: true });
  }
});
