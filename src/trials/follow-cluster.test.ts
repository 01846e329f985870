/** A follower that fills a real IPFS Cluster, of which members die. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { ClusterLab, type LabPeer, until, withoutCluster } from '../testing/cluster.ts';
import { onlyInAll } from '../testing/depth.ts';
import { Program } from '../testing/program.ts';
import { ServeProcess } from '../testing/serve-process.ts';
import { makeBlocks } from '../testing/shards.ts';

interface FollowedLine {
  readonly type: string;
  readonly held: number;
  readonly taken: number;
  readonly dropped: number;
  readonly shards: number;
}

describe('a follower that fills an IPFS Cluster', { skip: onlyInAll(withoutCluster()) }, () => {
  let lab: ClusterLab;
  let program: Program;
  let origin: ServeProcess;
  before(() => {
    lab = ClusterLab.start();
  });
  after(() => lab.stop());
  beforeEach(async () => {
    await lab.empty();
    program = new Program();
    mkdirSync(program.path('source'));
    for (const [at, block] of makeBlocks(40, 16).entries())
      writeFileSync(program.path('source', `file ${at}`), Buffer.concat([block, Buffer.alloc(60_000, `content ${at} `)]));
    program.succeeds('add', 'source', '--name', 'demo', '--shard-size', '256KiB', '-q');
    origin = await ServeProcess.start(program, '--listen', '127.0.0.1:0');
    const kubos = lab.peers.flatMap(({ name, kubo }) => ['--kubo', `${name}=${kubo}`]);
    program.succeeds('peers', 'add', 'cluster', lab.peers[0].cluster, '--name', 'lab', ...kubos, '--home', 'volunteer');
  });
  afterEach(async () => {
    await origin.stop();
    program.dispose();
  });

  const follow = (...more: string[]) =>
    program.run('follow', `${origin.url}/demo`, '--into', 'lab', '--home', 'volunteer', '--once', '--json', ...more);
  const followed = ({ code, lines, stderr }: ReturnType<typeof follow>): FollowedLine => {
    assert.equal(code, 0, stderr);
    const found = lines.map((line) => JSON.parse(line) as FollowedLine).find(({ type }) => type === 'followed');
    assert.ok(found, lines.join('\n'));
    return found;
  };
  const hears = async ({ clusterId }: LabPeer) =>
    (await (await fetch(`${lab.peers[0].cluster}/monitor/metrics/freespace`)).text()).includes(clusterId);

  const hasShards = async ({ kubo }: LabPeer) => {
    const { Keys: keys = {} } = (await (await fetch(`${kubo}/api/v0/pin/ls?type=recursive`, { method: 'POST' })).json()) as {
      Keys?: object;
    };
    return Object.keys(keys).length;
  };

  test('what a dead member had is held no more when it is taken out, and the others take it; what is under way elsewhere goes on', async () => {
    const first = followed(follow());
    assert.deepEqual([first.held, first.taken], [first.shards, first.shards]);
    const dead = lab.peers[2];
    assert.ok((await hasShards(dead)) > 0);
    await lab.killKubo(dead);
    try {
      await until(async () => !(await hears(dead)));
      const without = follow();
      assert.match(without.stdout, /peer lab\.c3 does not answer/);
      // It may be back in a moment: nothing is dropped, and nothing taken twice.
      const { held, taken, dropped } = followed(without);
      assert.deepEqual([held, taken, dropped], [first.shards, 0, 0]);
      program.fails(42, /say --force.*follow/, 'peers', 'rm', 'lab.c3', '--home', 'volunteer');
      assert.match(
        program.succeeds('peers', 'rm', 'lab.c3', '--force', '--home', 'volunteer').stdout,
        /shards? on none: the next `shardctl .*follow` takes/,
      );
      const after = followed(follow());
      assert.equal(after.held, first.shards);
      assert.ok(after.taken > 0 && after.taken < first.shards, `${after.taken} taken`);
    } finally {
      await lab.startKubo(dead);
    }
    const back = followed(follow());
    assert.deepEqual([back.held, back.taken], [first.shards, 0]);
    program.succeeds('peers', 'set', 'lab', '--members', 'c3', '--home', 'volunteer');
    const named = followed(follow());
    assert.deepEqual([named.held, named.taken], [first.shards, 0]);
  });

  test('where the member that is asked is dead, another address is all that it takes', async () => {
    const first = followed(follow());
    const [dead, other] = lab.peers;
    await lab.killMember(dead);
    try {
      const alone = follow();
      assert.equal(alone.code, 42);
      assert.match(alone.stdout, /peers set NAME --url URL/);
      program.succeeds('peers', 'set', 'lab', '--url', other.cluster, '--home', 'volunteer');
      const after = followed(follow());
      assert.deepEqual([after.held, after.taken], [first.shards, 0]);
    } finally {
      await lab.startMember(dead);
    }
  });
});
