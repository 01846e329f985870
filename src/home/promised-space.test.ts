import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { HomeFailure, ioError, ShardctlError } from '../core/errors.ts';
import { LocalPeer } from '../peer/local/local.ts';
import { TEST_OWNER } from '../testing/owner.ts';
import { makeShard } from '../testing/shards.ts';
import type { SharedLock } from './lock.ts';
import { PromisedSpace } from './promised-space.ts';

const dir = mkdtempSync(join(tmpdir(), 'shardctl-promises-'));
after(() => rmSync(dir, { recursive: true }));

const ofFullHome = () => {
  throw ioError(Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC' }), 'locking the home', join(dir, 'lock'));
};

test('a promise that a full home cannot keep is no failure of the peer that it is about', async () => {
  const lock = { promise: ofFullHome, promisesOf: () => [] } as unknown as SharedLock;
  const options = { owner: TEST_OWNER, name: 'disk1', path: join(dir, 'peer'), layout: 'car' as const, capacity: 1_000_000 };
  const peer = await LocalPeer.create({ ...options, space: new PromisedSpace(lock, join(dir, 'runs')) });
  const shard = makeShard(dir, [Buffer.alloc(2_000, 1)]);
  const put = peer.put(shard, { mayConsume: false, signal: new AbortController().signal });
  await assert.rejects(put, (error) => {
    // What is no ShardctlError leaves out no peer, and ends the run.
    assert.ok(error instanceof HomeFailure && !(error instanceof ShardctlError));
    const told = ioError(error, 'writing a shard', 'the peer');
    assert.equal(told.code, 'NO_SPACE');
    assert.match(told.message, /locking the home/);
    assert.equal(told.path, join(dir, 'lock'));
    return true;
  });
});

test('a home that cannot be looked into is no failure of the peer either', () => {
  writeFileSync(join(dir, 'file'), '');
  const space = new PromisedSpace({ promisesOf: () => [] } as unknown as SharedLock, join(dir, 'file'));
  assert.throws(
    () => space.look('disk1'),
    (error) => error instanceof HomeFailure && error.error.code === 'IO',
  );
});
