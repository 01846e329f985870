import assert from 'node:assert/strict';
import { readdirSync, rmSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, suite, test } from 'node:test';
import { ShardctlError } from '../core/errors.ts';
import { parseCid } from '../dag/cid.ts';
import { Index } from '../index/index.ts';
import { LocalPeer } from '../peer/local/local.ts';
import type { ShardLink } from '../snapshot/snapshot.ts';
import { oneIn, onlyInAll, sampled } from '../testing/depth.ts';
import { PublishedShards, TestFollower } from '../testing/follower.ts';
import { HostileGateway } from '../testing/hostile-gateway.ts';
import { LIES } from '../testing/hostile-gateway-lies.ts';
import { truthOf } from '../testing/hostile-gateway-truth.ts';
import { hostileSnapshots } from '../testing/hostile-snapshots.ts';
import { TEST_OWNER } from '../testing/owner.ts';
import { makeBlocks } from '../testing/shards.ts';

const KIB = 1024;
const sample = oneIn(3);
let published: PublishedShards;
let gateway: HostileGateway;
let follower: TestFollower;
beforeEach(async () => {
  published = new PublishedShards();
  gateway = await HostileGateway.start({ truth: truthOf((digest) => published.blocks(digest)) });
  follower = new TestFollower();
});
afterEach(async () => {
  await gateway.stop();
  follower.dispose();
});

/** Shards of about 40 KiB each. */
function shards(count: number, first = 0): ShardLink[] {
  return Array.from({ length: count }, (_, at) => {
    const number = first + at;
    return published.shard(number, [...makeBlocks(4, 100, 1000 + number), Buffer.alloc(39 * KIB, `shard ${number}`)]);
  });
}

const cidsOf = (links: readonly ShardLink[]) => links.map(({ cid }) => cid);
const carsIn = (dir: string) => (readdirSync(dir, { recursive: true }) as string[]).filter((name) => name.endsWith('.car')).length;

suite('a follower', () => {
  test('takes all shards where there is room, with the catalogue, and nothing the second time', async () => {
    const links = shards(5);
    const root = published.snapshot(links);
    const first = await follower.follow(root, [gateway.url]);
    assert.deepEqual([first.held, first.taken, first.failed, first.rarest], [5, 5, 0, 2]);
    const held = new Set(await follower.held());
    assert.ok(cidsOf(links).every((cid) => held.has(cid)));
    // The card and the catalogue.
    assert.equal(held.size, 7);
    const again = await follower.follow(root, [gateway.url]);
    assert.deepEqual([again.held, again.taken, again.dropped], [5, 0, 0]);
    assert.deepEqual(new Set(await follower.held()), held);
    assert.equal(carsIn(join(follower.dir, 'spool')), 0);
  });

  test('stays under its limit, also where shards claim other sizes than they have', async () => {
    const honest = shards(8);
    for (const dagSize of [0, 1, 2 ** 50].slice(0, sampled(1, 3))) {
      const root = published.snapshot(honest.map((link, at) => (at < 4 ? { ...link, dagSize } : link)));
      const { held, heldBytes, limitBytes, failed } = await follower.follow(root, [gateway.url], { maxBytes: 150 * KIB });
      assert.equal(limitBytes, 150 * KIB);
      assert.ok(heldBytes <= 150 * KIB && held >= 2, `${held} shards of ${heldBytes} bytes`);
      assert.equal(failed, 0);
      follower.dispose();
      follower = new TestFollower();
    }
  });

  test('takes the shards that fewest hold', { skip: sample() }, async () => {
    const links = shards(6);
    const rare = new Set(cidsOf(links.slice(2, 4)));
    const others = await HostileGateway.start({
      truth: truthOf((digest) =>
        links.some(({ cid }) => rare.has(cid) && Buffer.compare(parseCid(cid).digest, digest) === 0) ? undefined : published.blocks(digest),
      ),
    });
    try {
      await follower.follow(published.snapshot(links), [gateway.url, others.url], { maxBytes: 100 * KIB });
      const held = await follower.held();
      assert.deepEqual(new Set(cidsOf(links).filter((cid) => held.includes(cid))), rare);
    } finally {
      await others.stop();
    }
  });

  test('goes over to a newer snapshot, and lets go of what that does not need', { skip: sample() }, async () => {
    const links = shards(4);
    await follower.follow(published.snapshot(links), [gateway.url]);
    const newer = [...links.slice(1), ...shards(1, 10)];
    const { taken, dropped, held } = await follower.follow(published.snapshot(newer, { time: '2026-01-02T00:00:00Z' }), [gateway.url]);
    assert.deepEqual([taken, dropped, held], [1, 1, 4]);
    const cids = new Set(await follower.held());
    assert.ok(!cids.has(links[0]?.cid ?? ''));
    assert.ok(cidsOf(newer).every((cid) => cids.has(cid)));
    assert.equal(cids.size, 6);
  });

  test('does not go back to an older snapshot unless that is allowed', { skip: sample() }, async () => {
    const links = shards(4);
    const older = published.snapshot(links.slice(0, 3), { time: '2025-01-01T00:00:00Z' });
    await follower.follow(published.snapshot(links), [gateway.url]);
    const stayed = await follower.follow(older, [gateway.url]);
    assert.deepEqual([stayed.shards, stayed.held, stayed.dropped], [4, 4, 0]);
    assert.match(follower.warnings.join('\n'), /older|newer/);
    const went = await follower.follow(older, [gateway.url], { allowsOlder: true });
    assert.deepEqual([went.shards, went.held, went.dropped], [3, 3, 1]);
  });

  test('drops nothing for a snapshot that needs next to nothing of what is held, nor for another repository', {
    skip: sample(),
  }, async () => {
    const links = shards(4);
    await follower.follow(published.snapshot(links), [gateway.url]);
    const held = new Set(await follower.held());
    const emptied = published.snapshot(links.slice(0, 1), { time: '2026-01-02T00:00:00Z' });
    await assert.rejects(follower.follow(emptied, [gateway.url]), { code: 'MAX_DELETE', hint: /--max-delete/ });
    const other = published.snapshot(links, { time: '2026-01-03T00:00:00Z', repository: 'other' });
    await assert.rejects(follower.follow(other, [gateway.url]), { code: 'USAGE', hint: /--home/ });
    assert.deepEqual(new Set(await follower.held()), held);
    const { dropped } = await follower.follow(emptied, [gateway.url], { mostDropped: () => Number.POSITIVE_INFINITY });
    assert.equal(dropped, 3);
  });

  test('has one record of each shard, also when another peer is filled, too', async () => {
    const links = shards(2);
    const root = published.snapshot(links);
    await follower.follow(root, [gateway.url]);
    const peers = new Map(
      ['space', 'more'].map((name) => [name, new LocalPeer({ owner: TEST_OWNER, name, path: join(follower.dir, name), layout: 'car' })]),
    );
    await LocalPeer.create({ owner: TEST_OWNER, name: 'more', path: join(follower.dir, 'more'), layout: 'car' });
    const both = { peers, into: ['space', 'more'] };
    await follower.follow(root, [gateway.url], both);
    await follower.follow(published.snapshot([...links, ...shards(1, 10)], { time: '2026-01-02T00:00:00Z' }), [gateway.url], both);
    const index = await Index.open(join(follower.dir, 'index'));
    const records = [...index.shards()];
    await index.close();
    // Three shards, the card and the catalogue.
    assert.equal(new Set(records.map(({ cid }) => cid)).size, 5);
    assert.equal(records.length, 5);
    const onPeer = new Map<string, string[]>();
    for (const [name, peer] of peers) onPeer.set(name, await listOf(peer));
    for (const { cid, peers: names } of records) for (const name of names) assert.ok(onPeer.get(name)?.includes(cid), `${name} ${cid}`);
    assert.equal([...onPeer.values()].flat().length, records.flatMap(({ peers: names }) => names).length);
  });

  test('takes a shard again that is gone from its peer, or has lost a part there', { skip: sample() }, async () => {
    const links = shards(3);
    const root = published.snapshot(links);
    await follower.follow(root, [gateway.url]);
    const files = readdirSync(join(follower.peerDir, 'shards'), { recursive: true }) as string[];
    const carOf = (at: number) => join(follower.peerDir, 'shards', files.find((name) => name.includes(links[at]?.cid ?? '?')) ?? '');
    const whole = statSync(carOf(2)).size;
    rmSync(carOf(1));
    truncateSync(carOf(2), whole - 1);
    const { taken, held } = await follower.follow(root, [gateway.url]);
    assert.deepEqual([taken, held], [2, 3]);
    assert.equal(statSync(carOf(2)).size, whole);
  });

  test('exchanges nothing on the word of a gateway that has everything, also what does not exist', { skip: sample() }, async () => {
    const links = shards(6);
    const boaster = await HostileGateway.start({ truth: () => ({ status: 200, headers: {}, body: Buffer.alloc(0) }) });
    try {
      const root = published.snapshot(links);
      const { rarest } = await follower.follow(root, [gateway.url], { maxBytes: 100 * KIB });
      assert.equal(rarest, 1);
      const boasted = await follower.follow(root, [gateway.url, boaster.url], { maxBytes: 100 * KIB });
      assert.equal(boasted.rarest, 1);
    } finally {
      await boaster.stop();
    }
  });

  test('a dry run says what would be taken, and changes nothing', async () => {
    const root = published.snapshot(shards(3));
    const planned = await follower.follow(root, [gateway.url], { isDryRun: true, index: undefined });
    assert.deepEqual([planned.held, planned.taken], [0, 3]);
    assert.deepEqual(await follower.held(), []);
    assert.ok(!readdirSync(follower.dir).includes('follow.json'));
  });

  test('has an end with every gateway that lies, holds nothing wrong, and takes the same from an honest one', {
    timeout: 120_000,
    skip: onlyInAll(),
  }, async () => {
    const links = shards(2);
    const root = published.snapshot(links);
    const lies = Object.entries(LIES);
    // Each lie has its own tests beside the gateways; here, some of all kinds.
    for (const [name, lie] of lies.filter((_, at) => at % 4 === 0)) {
      const liar = await HostileGateway.start({ truth: truthOf(published.blocks), rule: () => lie });
      const one = new TestFollower();
      try {
        await one.follow(root, [liar.url]).catch((error: unknown) => assert.ok(error instanceof ShardctlError, `${name}: ${error}`));
        const { held, failed } = await one.follow(root, [liar.url, gateway.url]);
        assert.deepEqual([held, failed], [2, 0], name);
      } finally {
        await liar.stop();
        one.dispose();
      }
    }
  });

  test('stops at every snapshot in bad faith, or takes what is a shard in it', { timeout: 120_000 }, async () => {
    const all = [...hostileSnapshots()];
    for (const { name, cid, blocks } of all.filter((_, at) => at % Math.ceil(all.length / sampled(3, 25)) === 0)) {
      const liar = await HostileGateway.start({ truth: truthOf(blocks) });
      const one = new TestFollower();
      try {
        const { held, shards: count } = await one.follow(parseCid(cid), [liar.url]);
        assert.ok(held <= count, name);
      } catch (error) {
        assert.ok(error instanceof ShardctlError, `${name}: ${error instanceof Error ? error.stack : error}`);
      } finally {
        await liar.stop();
        one.dispose();
      }
    }
  });
});

async function listOf(peer: LocalPeer): Promise<string[]> {
  const cids: string[] = [];
  for await (const cid of peer.list()) cids.push(cid);
  return cids;
}
