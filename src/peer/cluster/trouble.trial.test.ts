import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { ClusterLab, pinsOf, until, withoutCluster } from '../../testing/cluster.ts';
import { onlyInAll } from '../../testing/depth.ts';
import { FaultProxy } from '../../testing/fault-proxy.ts';
import { labCluster, listOf } from '../../testing/lab-cluster.ts';
import { makeBlocks, makeShard, type TestShard } from '../../testing/shards.ts';
import type { ClusterMemberPeer } from './member.ts';

const never = new AbortController().signal;

describe('IPFS Cluster', { skip: onlyInAll(withoutCluster()) }, () => {
  let lab: ClusterLab;
  before(() => {
    lab = ClusterLab.start();
  });
  after(() => lab.stop());

  const world = () => labCluster(lab, false);

  describe('in trouble', () => {
    let dir: string;
    let shard: TestShard;
    beforeEach(async () => {
      await lab.empty();
      dir = mkdtempSync(join(tmpdir(), 'shardctl-cluster-'));
      shard = makeShard(dir, makeBlocks(60, 20_000));
    });
    afterEach(() => rmSync(dir, { recursive: true }));

    const put = (peers: ClusterMemberPeer[]) =>
      Promise.all(peers.map((peer) => peer.put(shard, { mayConsume: false, allocation: peers.map(({ name }) => name), signal: never })));
    const pinnedOn = async (): Promise<string[]> => {
      const found: string[] = [];
      for (const peer of lab.peers) if (shard.cid in (await pinsOf(peer))) found.push(peer.name);
      return found;
    };

    test('an upload goes on for the others when one of those who wait for it gives up, and stops with the last', async () => {
      const { c1, c2 } = world();
      const [one, two] = [new AbortController(), new AbortController()];
      const allocation = ['lab.c1', 'lab.c2'];
      const puts = [
        c1.put(shard, { mayConsume: false, allocation, signal: one.signal }),
        c2.put(shard, { mayConsume: false, allocation, signal: two.signal }),
      ];
      one.abort();
      await assert.rejects(puts[0] as Promise<void>, { name: 'AbortError' });
      await puts[1];
      assert.ok((await pinnedOn()).includes('c2'));

      const other = makeShard(dir, makeBlocks(20, 5000, 2));
      const third = new AbortController();
      const put = c1.put(other, { mayConsume: false, signal: third.signal });
      third.abort();
      await assert.rejects(put, { name: 'AbortError' });
      assert.equal((await fetch(`${lab.peers[0].cluster}/allocations/${other.cid}`)).status, 404);
    });

    test('an upload of which nothing more was heard is looked for before it is sent again, one that broke off is sent again', async () => {
      const proxy = await FaultProxy.start(lab.peers[0].cluster, (path, nth) =>
        path === '/add' && nth === 0 ? { kind: 'swallow-answer' } : undefined,
      );
      try {
        const uploads = () => proxy.seen.filter((line) => line.startsWith('POST /add')).length;
        const swallowed = labCluster(lab, false, proxy.url);
        await put([swallowed.c1, swallowed.c2]);
        assert.deepEqual([uploads(), await pinnedOn()], [1, ['c1', 'c2']]);
        await lab.empty();
        const before = uploads();
        proxy.rule = (path, nth) => (path === '/add' && nth === before ? { kind: 'cut-request', after: 100_000 } : undefined);
        const cut = labCluster(lab, false, proxy.url);
        await put([cut.c1, cut.c2]);
        assert.deepEqual([uploads() - before, await pinnedOn()], [2, ['c1', 'c2']]);
      } finally {
        await proxy.stop();
      }
    });

    test('a busy proxy is asked again, one that shows a web page is named', async () => {
      const proxy = await FaultProxy.start(lab.peers[0].cluster, (path, nth) =>
        path.startsWith('/pins/') && nth === 0 ? { kind: 'answer', status: 429, headers: { 'retry-after': '0' } } : undefined,
      );
      try {
        const { c1 } = labCluster(lab, false, proxy.url);
        await put([c1]);
        assert.deepEqual(await pinnedOn(), ['c1']);
        proxy.rule = () => ({ kind: 'answer', status: 200, headers: { 'content-type': 'text/html' }, body: '<title>Sign in</title>' });
        await assert.rejects(c1.has(shard.cid), { code: 'TOO_FEW_PEERS', message: /the Cluster.*web page/ });
      } finally {
        await proxy.stop();
      }
    });

    test('a silent member is named, gets no shard, and does not hold up the others', async () => {
      const { c1, c3 } = world();
      // A member that was killed goes through what it has missed in any order: what was unpinned before may be unpinned again.
      shard = makeShard(dir, makeBlocks(60, 20_000, 3));
      await put([c1, c3]);
      await lab.killMember(lab.peers[2]);
      try {
        await until(
          async () => !(await (await fetch(`${lab.peers[0].cluster}/monitor/metrics/ping`)).text()).includes(lab.peers[2].clusterId),
        );
        const now = world();
        await assert.rejects(now.c3.metric(), { code: 'TOO_FEW_PEERS', retryable: true, message: /lab\.c3/ });
        await assert.rejects(listOf(now.c3), { code: 'TOO_FEW_PEERS' });
        await assert.rejects(now.c3.has(shard.cid), { code: 'TOO_FEW_PEERS' });
        const other = makeShard(dir, makeBlocks(20, 5000, 2));
        const allocation = ['lab.c2', 'lab.c3'];
        const options = { mayConsume: false, allocation, signal: never };
        const [well, ill] = await Promise.allSettled([now.c2.put(other, options), now.c3.put(other, options)]);
        assert.equal(well.status, 'fulfilled');
        assert.equal(ill.status === 'rejected' && ill.reason.code, 'TOO_FEW_PEERS');
        await assert.rejects(now.c1.remove(shard.cid), { code: 'TOO_FEW_PEERS', message: /lab\.c3/ }, 'c3 would lose it too');
      } finally {
        await lab.startMember(lab.peers[2]);
      }
      assert.deepEqual(await pinnedOn(), ['c1', 'c3']);
    });
  });
});
