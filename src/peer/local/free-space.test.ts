import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { TEST_OWNER } from '../../testing/owner.ts';
import { makeShard } from '../../testing/shards.ts';
import { LocalPeer, type LocalPeerOptions } from './local.ts';

const dir = mkdtempSync(join(tmpdir(), 'shardctl-disk-'));
after(() => rmSync(dir, { recursive: true }));
const keep = { mayConsume: false, signal: new AbortController().signal };

const SAYS_NOTHING = {
  'fails with EIO': () => Promise.reject(Object.assign(new Error('EIO: i/o error, statfs'), { code: 'EIO' })),
  'has no blocks': () => Promise.resolve({ blocks: 0, bfree: 0, bavail: 0, bsize: 4096 }),
  'has more free than there is': () => Promise.resolve({ blocks: 1000, bfree: 2000, bavail: 2000, bsize: 4096 }),
  'has blocks of no size': () => Promise.resolve({ blocks: 1000, bfree: 500, bavail: 500, bsize: 0 }),
  'has all there is in the world': () => Promise.resolve({ blocks: 2 ** 51, bfree: 2 ** 51, bavail: 2 ** 51, bsize: 4096 }),
};
for (const [how, statfs] of Object.entries(SAYS_NOTHING)) {
  test(`a file system that ${how} leaves it to the capacity what is free, and without one that is said`, async () => {
    const path = join(dir, `says-nothing-${how.replaceAll(' ', '-')}`);
    const options = { owner: TEST_OWNER, name: 'disk1', path, layout: 'car' as const, statfs: statfs as LocalPeerOptions['statfs'] };
    const peer = await LocalPeer.create({ ...options, capacity: 30_000 });
    const shard = makeShard(dir, [Buffer.alloc(2_000, 1)]);
    await peer.put(shard, keep);
    assert.equal((await peer.metric()).freeBytes, 30_000 - shard.carBytes);
    await assert.rejects(new LocalPeer(options).metric(), {
      code: 'TOO_FEW_PEERS',
      message: /peer "disk1" .* does not say how much is free/,
      hint: /`shardctl peers set disk1 --capacity 500GB`/,
    });
  });
}

test('a peer says which disk it lies on: peers in two directories of one disk say the same', async () => {
  const open = (name: string) => LocalPeer.create({ owner: TEST_OWNER, name, path: join(dir, name), layout: 'car' });
  const [one, two] = [await (await open('one')).metric(), await (await open('two')).metric()];
  assert.ok(one.disk !== undefined && one.disk.id === two.disk?.id);
  assert.equal(one.freeBytes, one.disk.freeBytes);
});

test('less than nothing is nothing', async () => {
  const statfs = async () => ({ blocks: 1000, bfree: 5, bavail: 2 ** 64 - 7, bsize: 4096 });
  const path = join(dir, 'overdrawn');
  const peer = await LocalPeer.create({
    owner: TEST_OWNER,
    name: 'disk1',
    path,
    layout: 'car',
    statfs: statfs as unknown as LocalPeerOptions['statfs'],
  });
  assert.equal((await peer.metric()).freeBytes, 0);
});
