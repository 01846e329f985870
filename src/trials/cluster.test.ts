/** The program and a real IPFS Cluster of three: placed, collected, read through each Kubo, and brought back after what goes wrong. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { ClusterLab, type LabPeer, rpc, until, withoutCluster } from '../testing/cluster.ts';
import { ClusterHome } from '../testing/cluster-home.ts';
import { onlyInAll } from '../testing/depth.ts';
import { OWN } from '../testing/fetch-trial.ts';
import { treeState } from '../testing/hard-tree.ts';
import { kuboBinary } from '../testing/kubo.ts';
import { listing } from '../testing/listing.ts';
import { OperatorsWorld } from '../testing/operators-world.ts';
import { clusterPage } from '../testing/pages/cluster-page.ts';
import { runPage } from '../testing/pages/run-page.ts';
import type { Program } from '../testing/program.ts';

describe('a repository on an IPFS Cluster', { skip: onlyInAll(withoutCluster()) }, () => {
  let lab: ClusterLab;
  let home: ClusterHome;
  let program: Program;
  let source: string;
  before(() => {
    lab = ClusterLab.start();
  });
  after(() => lab.stop());
  beforeEach(async () => {
    home = await ClusterHome.create(lab);
    ({ program, source } = home);
  });
  afterEach(() => home.dispose());

  /** Replicas come to lie in different zones, of which the lab has two: c2 is alone in its own. */
  function spreadOverZones(): void {
    const file = join(program.home, 'config.json');
    const config = JSON.parse(readFileSync(file, 'utf8')) as object;
    writeFileSync(file, JSON.stringify({ ...config, allocateBy: ['tag:zone', 'freespace'] }));
  }
  function readThrough({ kubo, name }: LabPeer, path: string): Map<string, string> {
    const out = program.path(`through-${name}`);
    rmSync(out, { recursive: true, force: true });
    const api = `/ip4/127.0.0.1/tcp/${new URL(kubo).port}`;
    const { status, stderr } = spawnSync(kuboBinary() as string, ['--api', api, 'get', '--output', out, path], { encoding: 'utf8' });
    assert.equal(status, 0, stderr);
    return listing(out);
  }

  test('a copy is fetched through the gateways of the members', () => {
    home.setUp(...home.kubos);
    home.add();
    const out = program.path('fetched');
    const via = lab.peers.flatMap(({ gateway }) => ['--via', gateway]);
    program.succeeds('fetch', program.head('mirror').cid, out, ...via);
    assert.deepEqual(treeState(out, true, [OWN]), treeState(source));
  });

  test('two replicas in two zones, garbage collected: the tree reads back through each Kubo, and its root alone is enough', async () => {
    home.setUp(...home.kubos);
    spreadOverZones();
    home.add();
    const placed = await home.replicas();
    assert.ok(placed.length >= 4, `${placed.length} shards`);
    for (const { members } of placed) assert.ok(members.length === 2 && members.includes('c2'), members.join());
    await lab.collectGarbage();
    const { cid, tree } = program.head('mirror');
    for (const peer of lab.peers) {
      assert.deepEqual(readThrough(peer, `/ipfs/${cid}/tree`), listing(source));
      assert.deepEqual(await home.rootsOn(peer), [cid, tree].sort());
    }
    program.succeeds('verify', '--read-data');
    writeFileSync(join(source, 'sub/new'), 'new');
    program.succeeds('update', 'mirror');
    assert.notEqual(program.head('mirror').tree, tree);
    assert.ok(!(await home.rootsOn(lab.peers[0])).includes(tree), 'a root that was replaced is not pinned any more');
  });

  test('by the REST API alone: stored and listed, not readable without a gateway, and readable with one', async () => {
    home.setUp();
    home.add();
    assert.ok((await home.replicas()).every(({ members }) => members.length === 2));
    const { code, stderr } = program.run('verify', '--read-data');
    assert.equal(code, 0, stderr);
    assert.match(stderr, /lab\.c1 was taken at its word: nothing can be read from peer "lab\.c1"/);
    const get = program.run('get', 'mirror', '-o', 'copy');
    assert.equal(get.code, 42);
    assert.match(get.stderr, /^shardctl: .*the address of its Kubo is not known.*--kubo MEMBER=URL/m);
    home.setUp('--gateway', lab.peers[2].gateway);
    assert.deepEqual(listing(home.got()), listing(source));
    assert.match(program.run('verify', '--read-data').stderr, /lab\.c1 was taken at its word: .*gateway/);
  });

  test('a member killed: what it holds is named, an update goes on without it, and it comes back into use', {
    skip: onlyInAll(),
  }, async () => {
    home.setUp(...home.kubos);
    home.add();
    await lab.killMember(lab.peers[0]);
    try {
      await until(
        async () => !(await (await fetch(`${lab.peers[1].cluster}/monitor/metrics/ping`)).text()).includes(lab.peers[0].clusterId),
      );
      const update = program.run('update', 'mirror', '--checksum');
      assert.equal(update.code, 42, update.stderr);
      assert.match(update.stderr, /cluster "lab" .* cannot be reached: connection refused/);
      // The members are asked through any one of them.
      program.succeeds('peers', 'add', 'cluster', lab.peers[1].cluster, '--name', 'lab', ...home.kubos);
      const { code, stdout, stderr } = program.run('verify');
      assert.equal(code, 42, stderr);
      assert.match(stdout + stderr, /lab\.c1.*does not answer/);
      writeFileSync(join(source, 'sub/new'), 'new');
      program.succeeds('update', 'mirror');
    } finally {
      await lab.startMember(lab.peers[0]);
    }
    await until(async () => program.run('repair', '--replication', '2').code === 0);
    program.succeeds('verify', '--read-data', '--replication', '2');
    assert.deepEqual(listing(home.got()), listing(source));
  });

  test('a pin removed behind its back, and one that the Cluster forgot, are found by verify and brought back by repair', {
    skip: onlyInAll(),
  }, async () => {
    home.setUp(...home.kubos);
    home.add();
    const [first, second] = await home.replicas();
    assert.ok(first !== undefined && second !== undefined);
    await rpc(lab.peers.find(({ name }) => name === first.members[0]) as LabPeer, 'pin/rm', { arg: first.cid });
    await fetch(`${lab.peers[1].cluster}/pins/${second.cid}`, { method: 'DELETE' });
    await until(async () => (await home.replicas()).every(({ cid }) => cid !== second.cid));
    const found = program.run('verify');
    assert.equal(found.code, 44, found.stderr);
    assert.match(found.stderr, new RegExp(`${first.cid} on lab\\.${first.members[0]}: .*not pinned`));
    for (const member of second.members) assert.match(found.stderr, new RegExp(`${second.cid} on lab\\.${member}: .*not pinned`));
    // The second is pinned nowhere any more, and still in the datastores.
    program.succeeds('repair', '--replication', '2');
    program.succeeds('verify', '--read-data', '--replication', '2');
  });

  test('the whole Cluster killed straight after success: nothing is lost, or repair brings it back', { skip: onlyInAll() }, async () => {
    home.setUp(...home.kubos);
    home.add();
    await Promise.all(lab.peers.map((peer) => lab.killMember(peer)));
    await Promise.all(lab.peers.map((peer) => lab.startMember(peer)));
    // Killed within a minute or so, Cluster daemons have not yet written the newest pins to disk.
    if (program.run('verify').code !== 0) program.succeeds('repair', '--replication', '2');
    program.succeeds('verify', '--read-data', '--replication', '2');
  });

  test('two repositories share shards: when one is gone, the other still reads', { skip: onlyInAll() }, async () => {
    home.setUp(...home.kubos);
    home.add();
    home.add('--name', 'other');
    writeFileSync(join(source, 'sub/new'), 'new');
    program.succeeds('update', 'mirror');
    program.succeeds('forget', 'mirror', '1');
    rmSync(join(source, 'pool'), { recursive: true });
    program.succeeds('update', 'mirror', '--max-delete', 'none');
    program.succeeds('forget', 'mirror', '2');
    program.succeeds('prune');
    await lab.collectGarbage();
    program.succeeds('verify', '--read-data');
    program.succeeds('get', 'other', '-o', 'copy');
    assert.equal(readdirSync(program.path('copy', 'pool')).length, 80);
  });

  test('the whole Cluster as one peer, beside a directory: a federation', { skip: onlyInAll() }, async () => {
    program.succeeds('peers', 'add', 'local', program.path('disk'));
    home.setUp('--federate', '--replication', '2', ...home.kubos);
    home.add();
    const placed = await home.replicas();
    assert.ok(placed.length >= 4);
    for (const { members } of placed) assert.equal(members.length, 2);
    program.succeeds('verify', '--read-data', '--replication', '2');
    rmSync(program.path('disk'), { recursive: true });
    assert.deepEqual(listing(home.got()), listing(source));
  });

  test('docs/cluster.md: its commands do what it says', { skip: onlyInAll() }, async (t) => {
    const world = new OperatorsWorld();
    t.after(() => world.dispose());
    await runPage(t, 'cluster', world, clusterPage(lab));
  });

  test('a follower who pins the shards of a snapshot has all of it, when the Cluster is gone', { skip: onlyInAll() }, async () => {
    home.setUp(...home.kubos);
    home.add();
    const { cid } = program.head('mirror');
    // The recipe of docs/cluster.md, on a Kubo that is no peer of ours: here that of c3, which holds only a part.
    await rpc(lab.peers[2], 'pin/add', { arg: `/ipfs/${cid}/shards` });
    await rpc(lab.peers[2], 'pin/add', { arg: cid, recursive: 'false' });
    await rpc(lab.peers[2], 'repo/gc', { silent: 'true' });
    for (const { Peer: peer, Addr: address } of ((await rpc(lab.peers[2], 'swarm/peers')) as { Peers: { Peer: string; Addr: string }[] })
      .Peers) {
      await rpc(lab.peers[2], 'swarm/disconnect', { arg: `${address}/p2p/${peer}` });
    }
    assert.deepEqual(readThrough(lab.peers[2], `/ipfs/${cid}/tree`), listing(source));
  });
});
