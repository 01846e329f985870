import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { DAG_PB, RAW } from '../../core/model.ts';
import { cidText, sha256 } from '../../dag/cid.ts';
import { ClusterLab, pinsOf, rpc, until, withoutCluster } from '../../testing/cluster.ts';
import { onlyInAll } from '../../testing/depth.ts';
import { labCluster, listOf } from '../../testing/lab-cluster.ts';
import { OTHER_OWNER, TEST_OWNER } from '../../testing/owner.ts';
import { blockOf, makeBlocks, makeShard, type TestShard } from '../../testing/shards.ts';
import { KuboPeer } from '../kubo/kubo.ts';
import { FederatedPeer } from './federated.ts';
import type { ClusterMemberPeer } from './member.ts';

const never = new AbortController().signal;

describe('IPFS Cluster', { skip: onlyInAll(withoutCluster()) }, () => {
  let lab: ClusterLab;
  before(() => {
    lab = ClusterLab.start();
  });
  after(() => lab.stop());

  const world = (withKubo = false) => labCluster(lab, withKubo);

  describe('as peers', () => {
    let dir: string;
    let shard: TestShard;
    beforeEach(async () => {
      await lab.empty();
      dir = mkdtempSync(join(tmpdir(), 'shardctl-cluster-'));
      shard = makeShard(dir, makeBlocks(60, 20_000));
    });
    afterEach(() => rmSync(dir, { recursive: true }));

    const put = (peers: ClusterMemberPeer[], replace = false) =>
      Promise.all(
        peers.map((peer) => peer.put(shard, { mayConsume: false, replace, allocation: peers.map(({ name }) => name), signal: never })),
      );
    const pinnedOn = async (): Promise<string[]> => {
      const found: string[] = [];
      for (const peer of lab.peers) if (shard.cid in (await pinsOf(peer))) found.push(peer.name);
      return found;
    };
    const allocation = async (cid: string) =>
      (await (await fetch(`${lab.peers[2].cluster}/allocations/${cid}`)).json()) as {
        name: string;
        metadata: Record<string, string>;
        allocations: string[];
      };

    test('a shard goes up once for all members of its allocation, and is pinned on these only', async () => {
      const { http, c1, c2, c3 } = world();
      await put([c1, c3]);
      assert.equal(http.uploads(), 1);
      assert.deepEqual(await pinnedOn(), ['c1', 'c3']);
      assert.deepEqual([await c1.has(shard.cid), await c2.has(shard.cid), await c3.has(shard.cid)], [true, false, true]);
      await put([c1, c3]);
      assert.equal(http.uploads(), 1, 'what is there is not sent again');
      const { name, metadata } = await allocation(shard.cid);
      assert.deepEqual(
        [name, metadata],
        [
          shard.label,
          {
            'shardctl-bytes': String(shard.carBytes),
            [`shardctl-owner-${TEST_OWNER.id}`]: [lab.peers[0], lab.peers[2]]
              .map(({ clusterId }) => clusterId)
              .sort()
              .join(','),
          },
        ],
      );
    });

    test('a member that comes later is added, one that is removed goes alone, and the others stay pinned', async () => {
      const { c1, c2, c3 } = world();
      await put([c1, c2]);
      await c3.put(shard, { mayConsume: false, allocation: ['lab.c3'], signal: never });
      assert.deepEqual(await pinnedOn(), ['c1', 'c2', 'c3']);
      const before = await allocation(shard.cid);
      await c1.remove(shard.cid);
      await until(async () => (await pinnedOn()).join() === 'c2,c3');
      const after = await allocation(shard.cid);
      assert.deepEqual([after.name, after.metadata['shardctl-bytes']], [before.name, before.metadata['shardctl-bytes']]);
      assert.deepEqual([await c1.has(shard.cid), await c2.has(shard.cid), await c3.has(shard.cid)], [false, true, true]);
      await c2.remove(shard.cid);
      await c3.remove(shard.cid);
      await until(async () => (await pinnedOn()).length === 0);
      assert.equal((await fetch(`${lab.peers[0].cluster}/allocations/${shard.cid}`)).status, 404);
    });

    test('what a home has marked that uses the Kubo of a member directly stays on that member', async () => {
      const { c1, c2 } = world(true);
      await put([c1, c2]);
      const [{ name, kubo: url, kuboId: id }] = lab.peers;
      const direct = new KuboPeer({ name, url, id, owner: OTHER_OWNER });
      await direct.mark([shard.cid]);
      assert.deepEqual([await c1.remove(shard.cid), await c2.remove(shard.cid)], ['kept', 'removed']);
      await until(async () => (await pinnedOn()).join() === 'c1');
      await direct.remove(shard.cid);
      await direct.close();
      const whole = () => new FederatedPeer(world(true).cluster, { min: 2, max: 2 });
      assert.equal(await whole().remove(shard.cid), 'removed', 'nobody counts on it any more');
    });

    test('removes from several members at once leave none', async () => {
      const { c1, c2, c3 } = world();
      await put([c1, c2, c3]);
      await Promise.all([c1, c2, c3].map((peer) => peer.remove(shard.cid)));
      await until(async () => (await pinnedOn()).length === 0);
    });

    test('a pin removed behind the back of the Cluster is seen, and made again by a put', async () => {
      const { http, c1, c2 } = world();
      await put([c1, c2]);
      await rpc(lab.peers[1], 'pin/rm', { arg: shard.cid });
      assert.equal(await c2.has(shard.cid), false);
      const asked = http.asked.length;
      assert.deepEqual([await listOf(c1), await listOf(c2)], [[shard.cid], []]);
      assert.equal(http.asked.slice(asked).filter((line) => line === 'GET pins').length, 1, 'one answer is about all members');
      await assert.rejects(c2.open(shard.cid), { code: 'NOT_FOUND' });
      await world().c2.put(shard, { mayConsume: false, signal: never });
      assert.deepEqual(await pinnedOn(), ['c1', 'c2']);
    });

    test('a pin that the Cluster forgot is seen, and made again with the other member in it', async () => {
      const { c1, c2 } = world();
      await put([c1, c2]);
      await fetch(`${lab.peers[0].cluster}/pins/${shard.cid}`, { method: 'DELETE' });
      assert.deepEqual([await c1.has(shard.cid), await c2.has(shard.cid)], [false, false]);
      const again = world();
      await put([again.c1]);
      await put([again.c2]);
      await until(async () => (await pinnedOn()).join() === 'c1,c2');
      assert.equal((await allocation(shard.cid)).allocations.length, 2);
    });

    test('a shard that somebody has pinned everywhere stays so when it is put, and loses one member when it is removed', async () => {
      const { c1, c2 } = world();
      await put([c1]);
      await fetch(`${lab.peers[0].cluster}/pins/${shard.cid}?replication=-1`, { method: 'POST' });
      await world().c2.put(shard, { mayConsume: false, signal: never });
      await until(async () => (await pinnedOn()).length === 3);
      await c2.remove(shard.cid);
      await until(async () => (await pinnedOn()).join() === 'c1,c3');
    });

    test('roots are pinned by themselves on every member, replaced per repository, and kept while another repository wants them', async () => {
      const { c1, c2, c3 } = world();
      await put([c1, c2]);
      const [a, b, c] = shard.data.slice(0, 3).map((block) => cidText({ codec: RAW, digest: sha256(block) }, 1)) as [
        string,
        string,
        string,
      ];
      await Promise.all([c1.pinRoots('debian', [a, b]), c2.pinRoots('debian', [a, b]), c3.pinRoots('debian', [])]);
      await c1.pinRoots('npm', [b]);
      for (const peer of lab.peers)
        await until(async () => {
          const pins = await pinsOf(peer, 'direct');
          return a in pins && b in pins;
        });
      await c1.pinRoots('debian', [c]);
      for (const peer of lab.peers) {
        await until(async () => {
          const pins = await pinsOf(peer, 'direct');
          return !(a in pins) && b in pins && c in pins;
        });
      }
      assert.deepEqual(await listOf(c1), [shard.cid], 'a root is no shard');
      await Promise.all([c1, c2, c3].map((peer) => peer.pinRoots('debian', [])));
      for (const peer of lab.peers) await until(async () => !(c in (await pinsOf(peer, 'direct'))));
      await c2.pinRoots('rpm', [c]);
      // Of repositories that are no more, whoever of the members is asked.
      await Promise.all([c1, c2, c3].map((peer) => peer.keepRoots(new Set(['rpm']))));
      for (const peer of lab.peers) {
        await until(async () => {
          const pins = await pinsOf(peer, 'direct');
          return !(b in pins) && c in pins;
        });
      }
    });

    test('free space and tags are those of the member', async () => {
      const { c1, c2 } = world();
      const { freeBytes, usedBytes, at } = await c2.metric();
      assert.ok(freeBytes > 1e9 && freeBytes <= 1e10, String(freeBytes));
      assert.equal(usedBytes, 0);
      assert.ok(Date.now() - at < 60_000);
      await c1.metric();
      assert.deepEqual(
        [c1.tags, c2.tags].map(({ zone, tier }) => [zone, tier]),
        [
          ['z1', 'cold'],
          ['z2', 'cold'],
        ],
      );
    });

    test('a whole Cluster is one peer: it chooses its members, and has a shard when as many as it was asked for have it', async () => {
      const { cluster } = world();
      const peer = new FederatedPeer(cluster, { min: 2, max: 2 });
      const before = await peer.metric();
      assert.ok(before.freeBytes > 2e9);
      await peer.put(shard, { mayConsume: false, signal: never });
      assert.equal((await pinnedOn()).length, 2);
      assert.deepEqual([await peer.has(shard.cid), await listOf(peer)], [true, [shard.cid]]);
      assert.equal((await peer.metric()).usedBytes, 2 * shard.carBytes);
      const reader = await peer.open(shard.cid);
      assert.equal(reader.blocks, shard.blocks);
      await reader.close();
      await peer.remove(shard.cid);
      await until(async () => (await pinnedOn()).length === 0);
      assert.equal(await peer.has(shard.cid), false);
    });

    test('space is collected on request', async () => {
      const { c1 } = world();
      await put([c1]);
      const block = cidText({ codec: RAW, digest: sha256(blockOf(shard, 5)) }, 1);
      const isThere = async () => JSON.stringify(await rpc(lab.peers[0], 'block/stat', { arg: block, offline: 'true' })).includes('Size');
      await c1.reclaim();
      assert.equal(await isThere(), true, 'what is pinned stays');
      await c1.remove(shard.cid);
      await until(async () => (await pinnedOn()).length === 0);
      await c1.reclaim();
      assert.equal(await isThere(), false);
    });

    test('where its Kubo is known, a shard goes there and not through the Cluster, which is told of it', async () => {
      const { http, c1, c3 } = world(true);
      await put([c1, c3]);
      assert.deepEqual(await pinnedOn(), ['c1', 'c3']);
      assert.equal((await allocation(shard.cid)).allocations.length, 2);
      assert.equal(http.uploads(), 1, 'the pointer');
    });

    test('a block removed under its pin is found by a read and mended by a put, and the pin stays', async () => {
      const { c1, c2 } = world(true);
      await put([c1, c2]);
      const block = blockOf(shard, 7);
      await rpc(lab.peers[1], 'block/rm', { arg: cidText({ codec: DAG_PB, digest: sha256(block) }, 1) });
      const again = world(true).c2;
      assert.equal(await again.has(shard.cid), true, 'so much for a pin');
      const damage: string[] = [];
      const reader = await again.open(shard.cid);
      for await (const _ of reader.scan((detail) => damage.push(detail)));
      assert.match(damage.join(), /missing/);
      await again.put(shard, { mayConsume: false, replace: true, signal: never });
      assert.deepEqual(await (await again.open(shard.cid)).read(sha256(block)), Buffer.from(block));
      assert.deepEqual(await pinnedOn(), ['c1', 'c2']);
    });
  });
});
