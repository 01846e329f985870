/** Blocks that cannot be read now: damage is told, and what may be on a peer that does not answer is not lost. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { ShardctlError } from '../../core/errors.ts';
import type { Event } from '../../core/events.ts';
import { hasLoss } from '../../core/model.ts';
import type { Peer } from '../../peer/peer.ts';
import { failingReader } from '../../testing/failing-reader.ts';
import { pruneRun, withIndex } from '../../testing/retention.ts';
import { TestHome } from '../../testing/run.ts';
import { type Repaired, repair } from './repair.ts';
import type { RepairRun } from './repair-run.ts';
import { countUnrecorded } from './unrecorded-replicas.ts';

let dir: string;
let home: TestHome;
let events: Event[];
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'shardctl-unread-'));
  home = await TestHome.create({ a: {}, b: {}, c: {} });
  events = [];
});
afterEach(() => {
  home.remove();
  rmSync(dir, { recursive: true, force: true });
});

/** Adds a repository of files with these contents, with a replica on each of these peers. @returns the CID of its one shard */
async function addTo(peers: readonly string[], repository: string, contents: readonly string[]): Promise<string> {
  const source = join(dir, repository);
  mkdirSync(source);
  for (const content of contents) writeFileSync(join(source, content), Buffer.alloc(3000, `content of ${content} `));
  const known = await withIndex(home, async (index) => new Set([...index.shards()].map(({ cid }) => cid)));
  const count = peers.length;
  await home.add(source, { repository, replication: { min: count, max: count }, allocateBy: [`pinned-to:${peers.join('+')}`] });
  const fresh = await withIndex(home, async (index) => [...index.shards()].filter(({ cid }) => !known.has(cid)));
  assert.equal(fresh.length, 1);
  return fresh[0]?.cid ?? '';
}

function carPath(peer: string, cid: string): string {
  const shards = join(home.dir, 'peers', peer, 'shards');
  return join(shards, (readdirSync(shards, { recursive: true }) as string[]).find((name) => name.endsWith(`${cid}.car`)) ?? '');
}

/** Flips a bit of the content of a file in the shard there. */
function flipIn(peer: string, cid: string, content: string): void {
  const path = carPath(peer, cid);
  const bytes = readFileSync(path);
  const at = bytes.indexOf(`content of ${content} `);
  assert.ok(at > 0);
  bytes[at] = (bytes[at] as number) ^ 1;
  writeFileSync(path, bytes);
}

function repairHome(options: Partial<RepairRun> & { readonly replicas?: number } = {}): Promise<Repaired> {
  const { replicas = 1, ...rest } = options;
  const emit = (event: Event) => void events.push(event);
  return withIndex(home, (index) =>
    repair({
      ...pruneRun(home, index, { replication: { min: replicas, max: replicas }, emit }),
      readData: false,
      dryRun: false,
      ...rest,
    }),
  );
}

const damaged = () => events.flatMap((event) => (event.type === 'damage' ? [event.where] : []));
const losses = () => withIndex(home, async (index) => [...index.shards()].filter(hasLoss).length);

/** The peer opens each shard, and gives no more sign of life once a block is read. */
function fallsSilent(name: string): void {
  const peer = home.peers.get(name) as Peer;
  const [open, metric] = [peer.open.bind(peer), peer.metric.bind(peer)];
  const silence = new ShardctlError('TOO_FEW_PEERS', `${name} gives no sign of life`);
  let isSilent = false;
  const falls = async () => {
    isSilent = true;
    throw silence;
  };
  peer.open = async (cid) => {
    if (isSilent) throw silence;
    const reader = await open(cid);
    return failingReader(reader, falls);
  };
  peer.metric = async () => {
    if (isSilent) throw silence;
    return await metric();
  };
}

/** A shard on `a` has a rotten block, which a second shard has as well, on `c`: it was stored again while `c` lacked that one. */
async function rottenAndElsewhere(): Promise<void> {
  const other = carPath('c', await addTo(['c'], 'other', ['x']));
  const aside = join(dir, 'aside.car');
  renameSync(other, aside);
  const both = await addTo(['a'], 'both', ['x', 'y']);
  renameSync(aside, other);
  flipIn('a', both, 'x');
}

test('a block that may be in another shard on a peer that is away is not lost, and its shard is noted nowhere', async () => {
  await rottenAndElsewhere();
  const [c, aside] = [join(home.dir, 'peers', 'c'), join(home.dir, 'aside')];
  renameSync(c, aside);
  home = TestHome.at(home.dir, ['a', 'b', 'c']);
  for (const readData of [false, true]) {
    const { lost, tooFew, away } = await repairHome({ readData });
    assert.deepEqual([lost, await losses()], [[], 0]);
    assert.equal(away, tooFew, 'the peer that is away must come back before anything can be mended');
    assert.ok(tooFew > 0 || !readData);
  }
  assert.ok(damaged().includes('a'));
  renameSync(aside, c);
  home = TestHome.at(home.dir, ['a', 'b', 'c']);
  const { lost, mended } = await repairHome({ readData: true });
  assert.deepEqual([lost, mended], [[], 1]);
});

test('a peer that falls silent while a block of another shard is read there is told of, and the block is not lost', async () => {
  await rottenAndElsewhere();
  const c = home.peers.get('c') as Peer;
  Object.assign(c, { glance: undefined });
  fallsSilent('c');
  const cids = await withIndex(home, async (index) => [...index.shards()].filter(({ peers }) => peers.includes('a')).map(({ cid }) => cid));
  const { lost, tooFew, away } = await repairHome({ readData: true, part: { shards: new Set(cids), isQuick: true } });
  assert.deepEqual([lost, tooFew, away, await losses()], [[], 1, 1, 0]);
  assert.deepEqual(
    events.flatMap((event) => (event.type === 'no-answer' ? [event.peer] : [])),
    ['c'],
  );
});

test('damage that shows only while a copy is made is told, and is out of reach until the silent peer is back', async () => {
  const cid = await addTo(['a', 'b'], 'both', ['x', 'y']);
  flipIn('a', cid, 'x');
  fallsSilent('b');
  const { tooFew, away, lost } = await repairHome({ replicas: 3, part: { shards: new Set([cid]), isQuick: true } });
  assert.deepEqual([tooFew, away, lost, await losses()], [1, 1, [], 0]);
  assert.deepEqual(damaged(), ['a']);
});

test('a replica that shows to be damaged while a copy is made from others is mended with it', async () => {
  const cid = await addTo(['a', 'b'], 'both', ['x', 'y']);
  flipIn('a', cid, 'x');
  const part = { shards: new Set([cid]), isQuick: true };
  const planned = await repairHome({ replicas: 3, part, dryRun: true });
  const { mended, added } = await repairHome({ replicas: 3, part });
  assert.deepEqual([planned.mended, planned.added, mended, added], [1, 1, 1, 1]);
  assert.deepEqual(damaged(), ['a', 'a']);
  assert.deepEqual(await home.damage(), []);
});

test('a peer that falls silent while replicas that no record names are looked for is asked for no further one', async () => {
  const peers = ['a', 'b'];
  for (const name of ['x', 'y', 'z']) await addTo(peers, name, [name]);
  await withIndex(home, async (index) => {
    const without = [...index.shards()].map((shard) => ({ ...shard, peers: shard.peers.filter((name) => name !== 'b') }));
    await index.updateShards(without);
  });
  const b = home.peers.get('b') as Peer;
  let [opened, isSilent] = [0, false];
  const [metric, silence] = [b.metric.bind(b), new ShardctlError('TOO_FEW_PEERS', 'b gives no sign of life')];
  b.open = async () => {
    opened++;
    isSilent = true;
    throw silence;
  };
  b.metric = async () => {
    if (isSilent) throw silence;
    return await metric();
  };
  await withIndex(home, (index) => countUnrecorded({ ...pruneRun(home, index), readData: false, dryRun: false }, new Set()));
  assert.equal(opened, 1);
});
