/** A real IPFS Cluster whose members fail as they do in practice: a Kubo alone, a daemon that is frozen, a member that only follows. */
import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { ClusterLab, type LabPeer, until, withoutCluster } from '../testing/cluster.ts';
import { ClusterHome } from '../testing/cluster-home.ts';
import { onlyInAll } from '../testing/depth.ts';
import { listing } from '../testing/listing.ts';
import type { Program } from '../testing/program.ts';

describe('an IPFS Cluster that fails', { skip: onlyInAll(withoutCluster()) }, () => {
  let lab: ClusterLab;
  let home: ClusterHome;
  let program: Program;
  before(() => {
    lab = ClusterLab.start();
  });
  after(() => lab.stop());
  beforeEach(async () => {
    home = await ClusterHome.create(lab);
    ({ program } = home);
  });
  afterEach(() => home.dispose());

  const hears = async (metric: string, { clusterId }: LabPeer) =>
    (await (await fetch(`${lab.peers[0].cluster}/monitor/metrics/${metric}`)).text()).includes(clusterId);

  /** The pins of the mirror's shards, as the Cluster wants them. */
  const pins = async () => {
    const lines = (await (await fetch(`${lab.peers[0].cluster}/allocations`)).text()).split('\n').filter((line) => line !== '');
    const all = lines.map((line) => JSON.parse(line) as { name: string; metadata: Record<string, string> });
    return all.filter(({ name }) => /^mirror \d{8}$/.test(name));
  };

  /** The Kubo of a member is dead while `work` goes on, and the member's daemon is not. */
  async function withoutKubo(peer: LabPeer, work: () => Promise<void>): Promise<void> {
    await lab.killKubo(peer);
    try {
      await until(async () => !(await hears('freespace', peer)));
      await work();
    } finally {
      await lab.startKubo(peer);
    }
  }

  /** A member that has shards, not the one that is asked: where there are few, each of the others may have been given nothing. */
  async function victim(): Promise<{ readonly peer: LabPeer; readonly dead: string; readonly other: string }> {
    const isHolder = (await home.replicas()).some(({ members }) => members.includes('c3'));
    const [dead, other] = isHolder ? (['c3', 'c2'] as const) : (['c2', 'c3'] as const);
    return { peer: lab.peers[isHolder ? 2 : 1], dead, other };
  }

  const ways = { 'whose Kubo are known': () => home.kubos, 'by the REST API alone': () => [] };
  for (const [how, options] of Object.entries(ways)) {
    test(`members ${how}: one whose Kubo is dead is away, what it had is made on the others, and it is taken out for good`, async () => {
      home.setUp(...options());
      home.add();
      const { peer, dead, other } = await victim();
      const had = (await home.replicas()).filter(({ members }) => members.includes(dead)).length;
      await withoutKubo(peer, async () => {
        assert.match(program.succeeds('status').stdout, new RegExp(`! peer "lab\\.${dead}": its Kubo does not answer`));
        assert.match(
          program.ends(42, 'verify', '--replication', '2').stderr,
          new RegExp(`no answer: peer lab\\.${dead}, \\d shards: .*its Kubo does not answer`),
        );
        assert.match(program.succeeds('status').stdout, /at risk/);
        if (options().length > 0) assert.deepEqual(listing(home.got()), listing(home.source), 'each shard is on another member, too');
        // Another address of the same Cluster: those that answer say that it is.
        program.succeeds('peers', 'set', 'lab', '--url', lab.peers.find(({ name }) => name === other)?.cluster ?? '');
        program.succeeds('peers', 'add', 'cluster', lab.peers[0].cluster, '--name', 'lab', ...options());
        assert.match(program.succeeds('repair', '--replication', '2').stdout, new RegExp(`added: ${had} replica`));
        for (const { cid, members } of await home.replicas()) assert.deepEqual(members, ['c1', other], cid);
        for (const { metadata } of await pins())
          assert.ok(!JSON.stringify(metadata).includes(peer.clusterId), 'it is not counted on any more');
        assert.match(program.succeeds('status').stdout, /each on 2 or more peers/);
        program.succeeds('peers', 'rm', `lab.${dead}`, '--force');
        program.succeeds('verify', '--replication', '2');
        writeFileSync(join(home.source, 'sub/new'), 'new');
        program.succeeds('update', 'mirror');
      });
      assert.doesNotMatch(program.succeeds('peers', 'ls').stdout, new RegExp(`lab\\.${dead}`));
      writeFileSync(join(home.source, 'sub/newer'), 'newer');
      program.succeeds('update', 'mirror');
      for (const { cid, members } of await home.replicas()) assert.deepEqual(members, ['c1', other], cid);
      program.succeeds('peers', 'set', 'lab', '--members', dead);
      assert.match(program.succeeds('peers', 'ls').stdout, new RegExp(`lab\\.${dead}`));
    });
  }

  test('what is only on a member whose Kubo is dead is out of reach, and not lost: 42 from each command that needs it', async () => {
    home.setUp(...home.kubos);
    program.succeeds('add', home.source, '--shard-size', '512KiB', '--allocate-by', 'pinned-to:lab.c2');
    await withoutKubo(lab.peers[1], async () => {
      assert.match(program.succeeds('status').stdout, /on none that answers/);
      for (const argv of [['verify'], ['get', 'mirror', '-o', 'out'], ['repair'], ['update', 'mirror'], ['prune']])
        program.ends(42, ...argv);
      program.succeeds('peers', 'set', 'lab', '--url', lab.peers[2].cluster);
      assert.match(program.ends(42, 'peers', 'drain', 'lab.c2').stderr, /cannot be drained/);
      assert.doesNotMatch(program.succeeds('peers', 'ls').stdout, /drained/);
    });
    await until(async () => program.run('verify').code === 0);
    // All of it finds a place: and the command at the end of a drain works as it stands.
    const { stdout } = program.succeeds('peers', 'drain', 'lab.c2', '--allocate-by', 'freespace');
    const [, advice = ''] = /`shardctl (.*)` takes it out/.exec(stdout) ?? [];
    assert.equal(advice, 'peers rm lab.c2');
    program.succeeds(...advice.split(' '));
    program.succeeds('verify', '--read-data');
  });

  test('a member whose Kubo was dead is expected to have what it still has when it is back, and nothing else', async () => {
    home.setUp(...home.kubos);
    home.add();
    await withoutKubo(lab.peers[2], async () => void program.succeeds('repair', '--replication', '2'));
    program.succeeds('verify', '--read-data', '--replication', '2');
    assert.deepEqual(listing(home.got()), listing(home.source));
  });

  test('a frozen Kubo of a member, and a frozen member behind the URL, are named, and the others answer for what they have', async () => {
    home.setUp(...home.kubos);
    home.add();
    const [c1, , c3] = lab.peers;
    await lab.whileFrozen(c3, 'kubo', async () => {
      const { stdout } = program.succeeds('status');
      assert.match(stdout, /! peer "lab\.c3"/);
      assert.doesNotMatch(stdout, /! peer "lab\.c[12]"/);
      assert.doesNotMatch(stdout, /on none/);
    });
    await lab.whileFrozen(c1, 'member', async () => {
      assert.match(program.succeeds('status').stdout, /! .*cluster "lab".* no sign of life for 5 s/);
    });
    await until(async () => program.run('verify', '--replication', '2').code === 0);
  });

  test('a member that joins later, as a follower does, is named once and given nothing, until it is taken in', async () => {
    const [, , c3] = lab.peers;
    await lab.killMember(c3, 'SIGTERM');
    try {
      await until(async () => !(await hears('ping', c3)));
      home.setUp(...home.kubos.slice(0, 4));
    } finally {
      await lab.startMember(c3);
    }
    assert.match(home.add().stderr, /cluster "lab" has more members than count: c3/);
    writeFileSync(join(home.source, 'sub/new'), 'new');
    assert.doesNotMatch(program.succeeds('update', 'mirror').stderr, /c3/);
    for (const { cid, members } of await home.replicas()) assert.deepEqual(members, ['c1', 'c2'], cid);
    program.succeeds('peers', 'set', 'lab', '--members', 'c3');
    program.succeeds('rebalance');
    assert.ok((await home.replicas()).some(({ members }) => members.includes('c3')));
  });

  for (const [how, options] of Object.entries(ways)) {
    test(`a whole Cluster as one peer, members ${how}: fewer copies than were asked for are found, and made again`, async () => {
      program.succeeds('peers', 'add', 'local', program.path('disk'));
      home.setUp('--federate', '--replication', '2', ...options());
      home.add();
      const { peer, dead, other } = await victim();
      await withoutKubo(peer, async () => {
        const had = (await home.replicas()).filter(({ members }) => members.length < 2).length;
        assert.ok(had > 0);
        const { stdout } = program.succeeds('status');
        assert.match(stdout, /at risk: \d+ shard/);
        assert.match(stdout, new RegExp(`! peer "lab": member lab\\.${dead}: its Kubo does not answer`));
        assert.match(program.ends(44, 'verify', '--replication', '2').stderr, /on lab: 1 of 2 members have it/);
        program.succeeds('repair', '--replication', '2');
        for (const { cid, members } of await home.replicas()) assert.deepEqual(members, ['c1', other], cid);
        program.succeeds('verify', '--replication', '2');
      });
      home.setUp('--federate', '--replication', '2', ...options(), '--gateway', lab.peers[0].gateway);
      rmSync(program.path('disk'), { recursive: true });
      assert.deepEqual(listing(home.got()), listing(home.source));
    });
  }
});
