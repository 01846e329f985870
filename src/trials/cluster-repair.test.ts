/** What the members of a real IPFS Cluster lose is brought back, and what they are given stays, whatever garbage they collect. */
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { ClusterLab, type LabPeer, rpc, until, withoutCluster } from '../testing/cluster.ts';
import { ClusterHome } from '../testing/cluster-home.ts';
import { onlyInAll } from '../testing/depth.ts';
import { listing } from '../testing/listing.ts';

describe('what an IPFS Cluster has lost', { skip: onlyInAll(withoutCluster()) }, () => {
  let lab: ClusterLab;
  let home: ClusterHome;
  before(() => {
    lab = ClusterLab.start();
  });
  after(() => lab.stop());
  beforeEach(async () => {
    home = await ClusterHome.create(lab);
  });
  afterEach(() => home.dispose());

  const ways = { 'whose Kubo are known': () => home.kubos, 'by the REST API alone': () => [] };
  for (const [how, options] of Object.entries(ways)) {
    test(`members ${how}: a datastore that was wiped is filled again by repair, roots and all`, async () => {
      home.setUp(...options());
      home.add();
      const before = await home.replicas();
      const [, c2] = lab.peers;
      await lab.wipeKubo(c2);
      await until(async () => (await home.replicas()).every(({ members }) => !members.includes('c2')));
      home.program.ends(44, 'verify', '--replication', '2');
      const planned = home.program.succeeds('repair', '--dry-run', '--replication', '2').stdout;
      assert.match(planned, new RegExp(`to be mended: ${before.filter(({ members }) => members.includes('c2')).length + 1} replica`));
      home.program.succeeds('repair', '--replication', '2');
      assert.deepEqual(await home.replicas(), before);
      home.program.succeeds('verify', '--read-data', '--replication', '2');
      const { cid, tree } = home.program.head('mirror');
      assert.deepEqual(await home.rootsOn(c2), [cid, tree].sort());
      assert.equal(home.program.succeeds('update', 'mirror', '--checksum', '-Q').stdout.trim(), tree, 'nothing was taken for lost');
    });
  }

  test('by the REST API alone: pins that the Cluster forgot are made again from what the datastores still have', async () => {
    home.setUp();
    home.add();
    const before = await home.replicas();
    for (const { cid } of before) await fetch(`${lab.peers[0].cluster}/pins/${cid}`, { method: 'DELETE' });
    await until(async () => (await home.replicas()).length === 0);
    home.program.succeeds('repair', '--replication', '2');
    assert.deepEqual(await home.replicas(), before);
    await lab.collectGarbage();
    home.setUp('--gateway', lab.peers[0].gateway);
    assert.deepEqual(listing(home.got()), listing(home.source));
  });

  test('by the REST API alone: what a dead member had is fetched by another from those that are left', async () => {
    home.setUp();
    home.add();
    const [{ cluster }, , c3] = lab.peers;
    await Promise.all([lab.killMember(c3), lab.killKubo(c3)]);
    try {
      await until(async () => !(await (await fetch(`${cluster}/monitor/metrics/ping`)).text()).includes(c3.clusterId));
      home.program.ends(42, 'verify', '--replication', '2');
      home.program.succeeds('repair', '--replication', '2');
      for (const { cid, members } of await home.replicas()) assert.deepEqual(members, ['c1', 'c2'], cid);
    } finally {
      await Promise.all([lab.startKubo(c3), lab.startMember(c3)]);
    }
  });

  // By the REST API alone blocks lie unpinned while a shard is under way: garbage is not to be collected then.
  test('members whose Kubo are known: garbage that is collected without a pause during a whole add takes nothing of it', async () => {
    home.setUp(...home.kubos);
    let adding = true;
    const collect = async (peer: LabPeer): Promise<number> => {
      let count = 0;
      for (; adding; count++) await rpc(peer, 'repo/gc', { silent: 'true' });
      return count;
    };
    const collections = lab.peers.map(collect);
    const { code, stderr } = await home.program.follow(() => {}, 'add', home.source, '--shard-size', '256KiB', '--replication', '2');
    adding = false;
    for (const count of await Promise.all(collections)) assert.ok(count > 3, `${count} collections`);
    assert.equal(code, 0, stderr);
    await lab.collectGarbage();
    home.program.succeeds('verify', '--read-data', '--replication', '2');
  });
});
