/** What every peer must do where two homes use it, as tests: a part of the suite in `contract.ts`. */
import assert from 'node:assert/strict';
import type { Peer } from '../../peer/peer.ts';
import { marksOn, scanOf } from '../peer-reading.ts';
import { makeBlocks, makeShard } from '../shards.ts';

const keep = { mayConsume: false, signal: new AbortController().signal };

interface Sharing {
  readonly peer: Peer;
  readonly other?: Peer;
  readonly hasNoOrder?: boolean;
  readonly dir: string;
}

/** Two homes that use one peer: what one lets go stays as long as the other counts on it. */
export function sharingRules(rule: (title: string, body: (context: Sharing) => Promise<void>) => void): void {
  const shared = (title: string, body: (peer: Peer, other: Peer, dir: string) => Promise<void>) =>
    rule(title, async ({ peer, other, dir }) => {
      if (other !== undefined) await body(peer, other, dir);
    });

  shared('what two homes have put goes when the second lets it go, not before', async (peer, other, dir) => {
    const shard = makeShard(dir, makeBlocks(20, 4000));
    await peer.put(shard, keep);
    await other.put(shard, keep);
    assert.equal(await peer.remove(shard.cid), 'kept');
    assert.deepEqual((await scanOf(other, shard)).damage, []);
    assert.equal(await peer.remove(shard.cid), 'kept', 'whoever has no mark there takes nothing away');
    assert.equal(await other.remove(shard.cid), 'removed');
    assert.equal(await other.has(shard.cid), false);
  });

  shared('a home that has marked what another has put keeps it', async (peer, other, dir) => {
    const shard = makeShard(dir, makeBlocks(20, 4000));
    await peer.put(shard, keep);
    await other.mark([shard.cid]);
    assert.equal(await peer.remove(shard.cid), 'kept');
    assert.deepEqual((await scanOf(other, shard)).damage, []);
  });

  shared('the shards of two homes share blocks and go one by one', async (peer, other, dir) => {
    const blocks = makeBlocks(30, 500);
    const [first, second] = [makeShard(dir, blocks.slice(0, 20)), makeShard(dir, blocks.slice(10))];
    await peer.put(first, keep);
    await other.put(second, keep);
    await peer.remove(first.cid);
    assert.equal(await other.has(first.cid), false);
    const { blocks: read, damage } = await scanOf(other, second);
    assert.deepEqual([read.length, damage], [20, []]);
  });

  shared('everybody sees who has marked what', async (peer, other, dir) => {
    const shards = [makeShard(dir, makeBlocks(3, 100)), makeShard(dir, makeBlocks(3, 100, 2))] as const;
    for (const shard of shards) await peer.put(shard, keep);
    await other.put(shards[1], keep);
    for (const seenBy of [peer, other]) {
      const marks = await marksOn(seenBy);
      const owners = await seenBy.owners();
      assert.deepEqual(owners?.map(({ id }) => id).sort(), [...new Set(marks.map(({ owner }) => owner))].sort());
      assert.ok(owners?.every(({ host, path, seen }) => host && path && seen));
      assert.deepEqual(marks.map(({ cid }) => cid).sort(), [shards[0].cid, shards[1].cid, shards[1].cid].sort());
    }
  });

  shared('the mark of a home that is dead is taken away by another', async (peer, other, dir) => {
    const shards = [makeShard(dir, makeBlocks(3, 100)), makeShard(dir, makeBlocks(3, 100, 2))] as const;
    for (const shard of shards) await peer.put(shard, keep);
    const [dead] = (await peer.owners()) ?? [];
    assert.ok(dead);
    await other.mark([shards[1].cid]);
    assert.equal(await other.remove(shards[0].cid, dead.id), 'removed');
    assert.equal(await other.remove(shards[1].cid, dead.id), 'kept');
    assert.deepEqual([await other.has(shards[0].cid), await other.has(shards[1].cid)], [false, true]);
  });

  rule('one home puts what another removes at that moment, and finds it', async ({ peer, other, hasNoOrder, dir }) => {
    if (other === undefined || hasNoOrder === true) return;
    const shard = makeShard(dir, makeBlocks(10, 2000));
    for (let round = 0; round < 8; round++) {
      await peer.put(shard, keep);
      await Promise.all([peer.remove(shard.cid), other.put(shard, keep)]);
      const { blocks, damage } = await scanOf(other, shard);
      assert.deepEqual([blocks.length, damage], [10, []], `round ${round}`);
      await other.remove(shard.cid);
    }
  });
}
