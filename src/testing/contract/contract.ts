/** What every peer must do, as tests. Each adapter runs the whole suite. */
import assert from 'node:assert/strict';
import { appendFileSync, copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { sha256 } from '../../dag/cid.ts';
import type { Peer } from '../../peer/peer.ts';
import { bytesOf, cidsOf, scanOf } from '../peer-reading.ts';
import { blockOf, makeBlocks, makeShard, type TestShard } from '../shards.ts';
import { sharingRules } from './sharing.ts';

export interface PeerUnderTest {
  readonly peer: Peer;
  /** The same peer, as another home has it. */
  readonly other?: Peer;
  /** Changes by two homes in the same moment may cross: the put then fails, is made again, and takes its time. */
  readonly hasNoOrder?: boolean;
  /** Changes one byte in the middle of a block that the peer stores, behind its back. */
  readonly flip: (shard: TestShard, block: Uint8Array) => Promise<void>;
  /** Makes a stored block shorter or unreadable, behind the peer's back. */
  readonly cut: (shard: TestShard, block: Uint8Array) => Promise<void>;
  /** Bytes by which the space that a peer says is used may be off: books of its own, that grow. [0] */
  readonly slackBytes?: number;
}

const never = new AbortController().signal;
const keep = { mayConsume: false, signal: never };

/**
 * @param makePeer makes an empty peer in `dir`, which is removed after the test
 * @param isReady says whether there is what it takes; skips the test, or fails, when there is not
 */
export function peerContract(
  name: string,
  makePeer: (dir: string) => Promise<PeerUnderTest>,
  isReady: (t: TestContext) => boolean = () => true,
): void {
  const rule = (title: string, body: (context: PeerUnderTest & { dir: string }) => Promise<void>) =>
    test(title, async (t) => {
      if (!isReady(t)) return;
      const dir = mkdtempSync(join(tmpdir(), 'shardctl-peer-'));
      try {
        await body({ ...(await makePeer(dir)), dir });
      } finally {
        rmSync(dir, { recursive: true, force: true });
      }
    });

  describe(`peer contract: ${name}`, () => {
    rule('a shard that was put is there, is listed, and every block reads back', async ({ peer, dir }) => {
      const shard = makeShard(dir, [...makeBlocks(50, 4000), Buffer.alloc(0), Buffer.alloc(1 << 20, 7)]);
      assert.equal(await peer.has(shard.cid), false);
      await peer.put(shard, keep);
      assert.equal(await peer.has(shard.cid), true);
      assert.deepEqual(await cidsOf(peer), [shard.cid]);
      const reader = await peer.open(shard.cid);
      assert.equal(reader.blocks, shard.blocks);
      for (const block of shard.data) assert.deepEqual(bytesOf(await reader.read(sha256(block))), bytesOf(block));
      await reader.close();
      assert.ok(existsSync(shard.carPath), 'a CAR that may not be consumed stays');
    });

    rule('a block is given by itself where there is a way, and the CAR is where the peer says that it is', async ({ peer, flip, dir }) => {
      const shard = makeShard(dir, makeBlocks(20, 4000));
      await peer.put(shard, keep);
      const path = await peer.carPath?.(shard.cid);
      if (path !== undefined) assert.ok(readFileSync(path).equals(readFileSync(shard.carPath)));
      const block = blockOf(shard, 3);
      const alone = await peer.block?.(sha256(block));
      if (alone === undefined) return;
      assert.deepEqual(bytesOf(alone), bytesOf(block));
      assert.ok(await peer.block?.(shard.root.digest), 'the nodes of the manifest, too');
      assert.equal(await peer.block?.(sha256(Buffer.from('not here'))), undefined);
      await flip(shard, block);
      await assert.rejects(async () => peer.block?.(sha256(block)), { code: 'DAMAGE' });
    });

    rule('a shard with manifest nodes on two levels reads back', async ({ peer, dir }) => {
      const shard = makeShard(dir, makeBlocks(1500, 40));
      await peer.put(shard, keep);
      const { blocks, damage } = await scanOf(peer, shard);
      assert.deepEqual(damage, []);
      assert.equal(blocks.length, 1500);
    });

    rule('a scan gives every block in shard order and finds no damage', async ({ peer, dir }) => {
      const shard = makeShard(dir, [...makeBlocks(300, 60_000), Buffer.alloc(0)]);
      await peer.put(shard, keep);
      const { blocks, damage } = await scanOf(peer, shard);
      assert.deepEqual(damage, []);
      assert.deepEqual(
        blocks,
        shard.data.map((block) => bytesOf(sha256(block)).toString()),
      );
    });

    rule('a block that is not in the shard is undefined', async ({ peer, dir }) => {
      const shard = makeShard(dir, makeBlocks(3, 100));
      const other = makeShard(dir, makeBlocks(3, 100, 2));
      await peer.put(shard, keep);
      await peer.put(other, keep);
      const reader = await peer.open(shard.cid);
      assert.equal(await reader.read(sha256(blockOf(other, 0))), undefined);
      await reader.close();
    });

    rule('putting a shard again is a success and takes no more space', async ({ peer, dir, slackBytes = 0 }) => {
      const shard = makeShard(dir, makeBlocks(20, 400_000));
      await peer.put(shard, keep);
      const { usedBytes } = await peer.metric();
      await peer.put(shard, keep);
      assert.ok((await peer.metric()).usedBytes - usedBytes <= slackBytes);
      assert.deepEqual(await cidsOf(peer), [shard.cid]);
    });

    rule('putting one shard twice at once is a success', async ({ peer, dir }) => {
      const shard = makeShard(dir, makeBlocks(20, 4000));
      await Promise.all([peer.put(shard, keep), peer.put(shard, keep)]);
      assert.deepEqual((await scanOf(peer, shard)).damage, []);
    });

    rule('a CAR that may be consumed gives the same shard', async ({ peer, dir }) => {
      const shard = makeShard(dir, makeBlocks(20, 4000));
      await peer.put(shard, { mayConsume: true, signal: never });
      const { blocks, damage } = await scanOf(peer, shard);
      assert.deepEqual([blocks.length, damage], [20, []]);
    });

    rule('two shards that share blocks are independent: removing one leaves the other whole', async ({ peer, dir }) => {
      const blocks = makeBlocks(30, 500);
      const first = makeShard(dir, blocks.slice(0, 20));
      const second = makeShard(dir, blocks.slice(10));
      await peer.put(first, keep);
      await peer.put(second, keep);
      await peer.remove(first.cid);
      assert.equal(await peer.has(first.cid), false);
      await assert.rejects(peer.open(first.cid), { code: 'NOT_FOUND' });
      const { blocks: read, damage } = await scanOf(peer, second);
      assert.deepEqual([read.length, damage], [20, []]);
    });

    rule('removing a shard gives its space back; removing it again is a success', async ({ peer, dir, slackBytes = 0 }) => {
      const before = await peer.metric();
      const shard = makeShard(dir, makeBlocks(20, 400_000));
      await peer.put(shard, keep);
      assert.ok((await peer.metric()).usedBytes > before.usedBytes + slackBytes);
      await peer.remove(shard.cid);
      await peer.remove(shard.cid);
      await peer.reclaim?.();
      assert.ok((await peer.metric()).usedBytes - before.usedBytes <= slackBytes);
      assert.deepEqual(await cidsOf(peer), []);
    });

    rule('a flipped bit is found by a scan, names its block, hides no other, and is never read', async ({ peer, dir, flip }) => {
      const shard = makeShard(dir, makeBlocks(20, 4000));
      const victim = blockOf(shard, 7);
      await peer.put(shard, keep);
      await flip(shard, victim);
      const { blocks, damage } = await scanOf(peer, shard);
      assert.equal(damage.length, 1);
      assert.equal(blocks.length, 19);
      const reader = await peer.open(shard.cid);
      await assert.rejects(reader.read(sha256(victim)), { code: 'DAMAGE' });
      assert.ok(await reader.read(sha256(blockOf(shard, 8))));
      await reader.close();
    });

    rule('a block that was cut off is damage, when opened or when read', async ({ peer, dir, cut }) => {
      const shard = makeShard(dir, makeBlocks(20, 4000));
      const victim = blockOf(shard, 19);
      await peer.put(shard, keep);
      await cut(shard, victim);
      await assert.rejects(
        async () => {
          const reader = await peer.open(shard.cid);
          await reader.read(sha256(victim)).finally(() => reader.close());
        },
        { code: 'DAMAGE' },
      );
    });

    rule('a CAR that is not as long as promised is refused and leaves nothing', async ({ peer, dir }) => {
      const shard = makeShard(dir, makeBlocks(20, 4000));
      truncateSync(shard.carPath, shard.carBytes - 1);
      await assert.rejects(peer.put(shard, keep), { code: 'DAMAGE' });
      truncateSync(shard.carPath, shard.carBytes - 1);
      appendFileSync(shard.carPath, 'xx');
      await assert.rejects(peer.put(shard, keep), { code: 'DAMAGE' });
      assert.equal(await peer.has(shard.cid), false);
      assert.deepEqual(await cidsOf(peer), []);
    });

    rule('a CAR of another shard is refused', async ({ peer, dir }) => {
      const shard = makeShard(dir, [Buffer.from('one')]);
      const other = makeShard(dir, [Buffer.from('two')]);
      copyFileSync(other.carPath, shard.carPath);
      assert.equal(readFileSync(shard.carPath).length, shard.carBytes);
      await assert.rejects(peer.put(shard, keep), { code: 'DAMAGE' });
      assert.equal(await peer.has(shard.cid), false);
    });

    rule('an aborted put stores nothing', async ({ peer, dir }) => {
      const shard = makeShard(dir, makeBlocks(20, 4000));
      await assert.rejects(peer.put(shard, { mayConsume: false, signal: AbortSignal.abort() }), { name: 'AbortError' });
      assert.equal(await peer.has(shard.cid), false);
      assert.ok(existsSync(shard.carPath));
    });

    rule('what is not there, or is not the CID of a shard, is an error and never a path', async ({ peer, dir }) => {
      const shard = makeShard(dir, makeBlocks(3, 100));
      await assert.rejects(peer.open(shard.cid), { code: 'NOT_FOUND' });
      await assert.rejects(peer.open('../../etc/passwd'), { code: 'USAGE' });
      await assert.rejects(peer.remove('..'), { code: 'USAGE' });
    });

    rule('the metric counts what is stored', async ({ peer, dir }) => {
      const before = await peer.metric();
      const shard = makeShard(dir, makeBlocks(50, 40_000));
      await peer.put(shard, keep);
      const after = await peer.metric();
      assert.ok(after.usedBytes - before.usedBytes >= shard.bytes);
      assert.ok(after.freeBytes > 0);
      assert.ok(after.at > 0);
    });

    sharingRules(rule);
  });
}
