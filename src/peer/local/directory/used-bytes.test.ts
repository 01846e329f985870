import assert from 'node:assert/strict';
import { mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { TEST_OWNER } from '../../../testing/owner.ts';
import { makeBlocks, makeShard } from '../../../testing/shards.ts';
import { LocalPeer } from '../local.ts';
import { type Looked, UsedBytes } from './used-bytes.ts';

for (const layout of ['car', 'blockstore'] as const) {
  test(`layout ${layout}: bytes that could not be added up while the disk was not mounted are added up once it is`, async () => {
    const dir = mkdtempSync(join(tmpdir(), 'shardctl-away-'));
    try {
      const path = join(dir, 'peer');
      await LocalPeer.create({ owner: TEST_OWNER, name: 'disk', path, layout });
      const peer = new LocalPeer({ owner: TEST_OWNER, name: 'disk', path, layout });
      await peer.id();
      renameSync(path, `${path}-away`);
      await assert.rejects(peer.metric());
      const shard = makeShard(dir, makeBlocks(3, 1000));
      const options = { mayConsume: false, signal: new AbortController().signal };
      await assert.rejects(peer.put(shard, options));
      renameSync(`${path}-away`, path);
      assert.equal((await peer.metric()).usedBytes, 0);
      await peer.put(shard, options);
      assert.equal((await peer.metric()).usedBytes, shard.carBytes);
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });
}

/** A store of so many shards of 10 bytes, of which the fourth goes as soon as it is listed. */
function storeOf(count: number): Looked & { listed: number } {
  return {
    listed: 0,
    async *list() {
      this.listed++;
      for (let i = 0; i < count; i++) yield `cid${i}`;
    },
    sizeOf: async (cid) => (cid === 'cid3' ? undefined : 10),
  };
}

const sumOf = (count: number) => 10 * (count - (count > 3 ? 1 : 0));

test('bytes of any number of shards are added up, those that are gone by then count nothing, and what is put meanwhile counts once', async () => {
  for (const count of [0, 1, 15, 16, 17, 100]) {
    const used = new UsedBytes(storeOf(count));
    const sum = used.beforeChange();
    used.note('cid0', 10);
    used.note('new', 5);
    await sum;
    assert.equal(await used.get(), sumOf(Math.max(1, count)) + 5);
    used.note('new', 0);
    used.note('new', 0);
    assert.equal(await used.get(), sumOf(Math.max(1, count)));
  }
});

test('what each shard takes is added up anew before the first change, and not before any other', async () => {
  const store = storeOf(20);
  const used = new UsedBytes(store);
  assert.deepEqual([await used.get(), await used.get(), store.listed], [sumOf(20), sumOf(20), 1]);
  await used.beforeChange();
  await used.beforeChange();
  assert.equal(store.listed, 2);
  used.note('cid5', 0);
  assert.equal(await used.get(), sumOf(19));
});

test('it makes no difference which shards can be looked at without a thread, and how long that takes', async () => {
  for (const isKnownNow of [() => true, () => false, (at: number) => at % 3 === 0]) {
    const store = storeOf(1_000);
    const sizeNow = (cid: string) => {
      const at = Number(cid.slice(3));
      // Now and then as long as a disk may take.
      for (const until = performance.now() + (at % 100 === 7 ? 1 : 0); performance.now() < until; );
      return at !== 3 && isKnownNow(at) ? 10 : undefined;
    };
    assert.equal(await new UsedBytes({ ...store, sizeNow }).get(), sumOf(1_000));
  }
});
