/**
 * A mirror on real peers as a stranger sees it, who has stock tools and one daemon or gateway. `SHARDCTL_TEST_TREE_MB` says how
 * large the mirror is.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createWriteStream, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { after, afterEach, before, beforeEach, describe, type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { ClusterLab, type LabPeer, rpc, withoutCluster } from '../testing/cluster.ts';
import { onlyInAll } from '../testing/depth.ts';
import { KuboRepo, kuboBinary } from '../testing/kubo.ts';
import { listing } from '../testing/listing.ts';
import { writeMirror } from '../testing/mirror.ts';
import { Program } from '../testing/program.ts';

const MEGABYTES = Number(process.env.SHARDCTL_TEST_TREE_MB ?? 8);

describe('a mirror of which each peer has two thirds', { skip: onlyInAll(withoutCluster()) }, () => {
  let lab: ClusterLab;
  let scratch: string;
  let mirror: string;
  let expected: Map<string, string>;
  let program: Program;
  before(async () => {
    lab = ClusterLab.start();
    scratch = mkdtempSync(join(tmpdir(), 'shardctl-strangers-'));
    mirror = await writeMirror(join(scratch, 'mirror'), MEGABYTES);
    expected = listing(mirror);
  });
  after(() => {
    lab.stop();
    rmSync(scratch, { recursive: true, force: true });
  });
  beforeEach(async () => {
    program = new Program();
    await lab.empty();
    for (const peer of lab.peers) await unpinAll(peer);
    await lab.collectGarbage();
  });
  afterEach(() => program.dispose());

  const kubos = () => lab.peers.flatMap(({ name, kubo }) => ['--kubo', `${name}=${kubo}`]);
  const ways: Record<string, () => void> = {
    'three Kubo daemons': () => {
      for (const { name, kubo } of lab.peers) program.succeeds('peers', 'add', 'kubo', kubo, '--name', name);
    },
    "an IPFS Cluster whose members' Kubo are known": () => {
      program.succeeds('peers', 'add', 'cluster', lab.peers[0].cluster, '--name', 'lab', ...kubos());
    },
    'an IPFS Cluster by its REST API alone': () => {
      program.succeeds('peers', 'add', 'cluster', lab.peers[0].cluster, '--name', 'lab');
    },
  };
  for (const [where, setUp] of Object.entries(ways)) {
    test(`on ${where}: it comes whole out of each daemon and each gateway after garbage collection, to the nanosecond`, async (t) => {
      setUp();
      const shardBytes = Math.min(128, Math.max(1, MEGABYTES / 8));
      await timed(t, 'add', async () => {
        program.succeeds('add', mirror, '--replication', '2', '--shard-size', `${shardBytes}MiB`);
      });
      await lab.collectGarbage();
      const sizes = await Promise.all(lab.peers.map(sizeOf));
      t.diagnostic(`MiB on the peers: ${sizes.map((bytes) => Math.round(bytes / 2 ** 20)).join(', ')}`);
      const whole = sizes.reduce((sum, bytes) => sum + bytes) / 2;
      for (const bytes of sizes) assert.ok(bytes < whole * 0.9, 'no peer has all of it');

      const { tree } = program.head('mirror');
      for (const [how, read] of Object.entries({ 'ipfs get': fromDaemon, 'a CAR': carFromGateway })) {
        // What others gave for the last reading is forgotten.
        await lab.collectGarbage();
        await timed(t, `${how} from all`, async () => {
          await Promise.all(lab.peers.map((peer) => timed(t, `${how} from ${peer.name}`, () => read(peer, tree, out(peer)))));
        });
        for (const peer of lab.peers) {
          assertSame(listing(out(peer)), expected, `${how} from ${peer.name}`);
          rmSync(out(peer), { recursive: true });
        }
      }
      const [{ gateway }] = lab.peers;
      await timed(t, 'a tar', () => tarFrom(gateway, tree, out(lab.peers[0])));
      assertSame(inSeconds(listing(out(lab.peers[0]))), inSeconds(expected), 'a tar');
    });
  }

  const out = ({ name }: LabPeer) => join(scratch, `out-${name}`);

  async function fromDaemon({ kubo }: LabPeer, tree: string, out: string): Promise<void> {
    const api = `/ip4/127.0.0.1/tcp/${new URL(kubo).port}`;
    await stock(kuboBinary() as string, ['--api', api, 'get', '--output', out, `/ipfs/${tree}`]);
  }

  /** Whoever does not trust the gateway takes a CAR, whose hashes his own Kubo checks, which has no network. */
  async function carFromGateway({ gateway, name }: LabPeer, tree: string, out: string): Promise<void> {
    const car = join(scratch, `${name}.car`);
    await download(`${gateway}/ipfs/${tree}?format=car`, car);
    const own = KuboRepo.init(join(scratch, `own-${name}`));
    await own.start(['dag', 'import', '--pin-roots=false', car]);
    await own.start(['--offline', 'get', '--output', out, `/ipfs/${tree}`]);
    for (const path of [car, own.path]) rmSync(path, { recursive: true });
  }

  async function tarFrom(gateway: string, tree: string, out: string): Promise<void> {
    const tar = join(scratch, 'tree.tar');
    await download(`${gateway}/ipfs/${tree}?format=tar`, tar);
    mkdirSync(out);
    await stock('tar', ['--extract', '--preserve-permissions', '--strip-components=1', '--file', tar, '--directory', out]);
    rmSync(tar);
  }
});

function assertSame(found: Map<string, string>, expected: Map<string, string>, how: string): void {
  assert.deepEqual([...found.keys()], [...expected.keys()], how);
  const differing = [...expected].filter(([name, what]) => found.get(name) !== what).map(([name, what]) => [name, what, found.get(name)]);
  assert.deepEqual(differing.slice(0, 5), [], `${how}: ${differing.length} differ`);
}

/** Tars of a gateway have times in whole seconds, rounded, and none for the root. */
function inSeconds(tree: Map<string, string>): Map<string, string> {
  const rounded = [...tree].map(([name, what]): [string, string] => {
    const [mode = '', ns = '', content = ''] = what.split(' ');
    return [name, `${mode} ${name === '' ? '' : Math.round(Number(ns) / 1e9)} ${content}`];
  });
  return new Map(rounded);
}

async function download(url: string, file: string): Promise<void> {
  const response = await fetch(url);
  assert.equal(response.status, 200, url);
  await pipeline(Readable.fromWeb(response.body as never), createWriteStream(file));
}

const run = promisify(execFile);

async function stock(command: string, args: readonly string[]): Promise<void> {
  await run(command, args);
}

async function timed(t: TestContext, what: string, work: () => Promise<void>): Promise<void> {
  const from = Date.now();
  await work();
  t.diagnostic(`${what}: ${((Date.now() - from) / 1000).toFixed(1)} s`);
}

async function unpinAll(peer: LabPeer): Promise<void> {
  const { Keys: keys = {} } = (await rpc(peer, 'pin/ls', { type: 'all' })) as { Keys?: Record<string, { Type: string }> };
  for (const [cid, { Type: type }] of Object.entries(keys)) if (type !== 'indirect') await rpc(peer, 'pin/rm', { arg: cid });
}

async function sizeOf(peer: LabPeer): Promise<number> {
  return ((await rpc(peer, 'repo/stat', { 'size-only': 'true' })) as { RepoSize: number }).RepoSize;
}
