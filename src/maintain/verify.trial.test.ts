import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { ShardctlError } from '../core/errors.ts';
import type { Event } from '../core/events.ts';
import { LocalPeer } from '../peer/local/local.ts';
import type { Peer } from '../peer/peer.ts';
import { TEST_OWNER } from '../testing/owner.ts';
import { makeBlocks, makeShard, type TestShard } from '../testing/shards.ts';
import { type ExpectedShard, type Verified, verify } from './verify.ts';

let dir: string;
let peers: Map<string, Peer>;
let shards: TestShard[];
let events: Event[];

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'shardctl-verify-'));
  events = [];
  peers = new Map();
  shards = [1, 2, 3].map((seed) => makeShard(dir, makeBlocks(20, 3000, seed)));
  for (const name of ['one', 'two']) {
    const peer = await LocalPeer.create({ owner: TEST_OWNER, name, path: join(dir, name), layout: 'car' });
    peers.set(name, peer);
    for (const shard of shards) await peer.put(shard, { mayConsume: false, signal: new AbortController().signal });
  }
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function records(): ExpectedShard[] {
  return shards.map(({ cid, bytes, blocks, carBytes }, number) => ({
    label: `shard ${number}`,
    cid,
    bytes,
    blocks,
    carBytes,
    peers: ['one', 'two'],
  }));
}

function run(readData: boolean, more: { shards?: ExpectedShard[]; signal?: AbortSignal } = {}): Promise<Verified> {
  return verify({ shards: records(), peers, readData, emit: (event) => events.push(event), signal: new AbortController().signal, ...more });
}

function carOf(peer: string, shard: TestShard): string {
  const file = readdirSync(join(dir, peer, 'shards'), { recursive: true }).find((path) => String(path).endsWith(`${shard.cid}.car`));
  return join(dir, peer, 'shards', String(file));
}

const findings = () => events.filter((event) => event.type === 'damage');
const silent = () => events.filter((event) => event.type === 'no-answer').map(({ peer, shards: held, detail }) => ({ peer, held, detail }));

test('intact replicas have no findings; with the data read, all blocks on all peers are counted', async () => {
  assert.deepEqual(await run(false), { shards: 3, blocks: 120, bytes: 0, damaged: 0, tooFew: 0, away: 0 });
  const bytes = 2 * shards.reduce((sum, shard) => sum + shard.bytes, 0);
  assert.deepEqual(await run(true), { shards: 3, blocks: 120, bytes, damaged: 0, tooFew: 0, away: 0 });
  assert.deepEqual(findings(), []);
});

test('a missing, a cut and a flipped replica are each found, with peer and shard, and the rest is looked at', async () => {
  const [missing, cut, flipped] = shards as [TestShard, TestShard, TestShard];
  rmSync(carOf('one', missing));
  truncateSync(carOf('two', cut), cut.carBytes - 10);
  const path = carOf('one', flipped);
  const car = readFileSync(path);
  const at = car.indexOf(flipped.data[3] as Uint8Array) + 4;
  car[at] = (car[at] as number) ^ 1;
  writeFileSync(path, car);

  assert.equal((await run(false)).damaged, 2, 'what is inside a block shows only when it is read');
  events = [];
  const { damaged, blocks } = await run(true);
  assert.equal(damaged, 3);
  assert.equal(blocks, 120 - 20 - 1, 'the blocks before the cut are all there');
  assert.deepEqual(
    findings().map(({ what, where }) => `${what} on ${where}`),
    [`shard 0 ${missing.cid} on one`, `shard 1 ${cut.cid} on two`, `shard 2 ${flipped.cid} on one`],
  );
});

test('a peer that is away is no damage, and is told of once; one that is not configured any more is one finding', async () => {
  renameSync(join(dir, 'two'), join(dir, 'elsewhere'));
  const { damaged, away } = await run(true);
  assert.deepEqual([damaged, away, findings()], [0, 1, []]);
  assert.deepEqual(
    silent().map(({ peer, held }) => [peer, held]),
    [['two', 3]],
  );
  peers.delete('two');
  assert.equal((await run(false)).damaged, 1);
});

test('a peer that falls silent on the way is told of once, and is not asked about the rest of its shards', async () => {
  const two = peers.get('two') as Peer;
  const [open, metric] = [two.open.bind(two), two.metric.bind(two)];
  const silence = new ShardctlError('TOO_FEW_PEERS', 'no sign of life');
  let opened = 0;
  two.open = async (cid) => {
    if (++opened > 1) throw silence;
    return await open(cid);
  };
  two.metric = async () => {
    if (opened > 1) throw silence;
    return await metric();
  };
  const { damaged, away } = await run(false);
  assert.deepEqual([damaged, away], [0, 1]);
  assert.deepEqual(silent(), [{ peer: 'two', held: 3, detail: 'no sign of life' }]);
  assert.equal(opened, 2);
});

test('a shard with another number of blocks than was recorded is a finding', async () => {
  const altered = records().map((record) => ({ ...record, blocks: 21 }));
  assert.equal((await run(false, { shards: altered })).damaged, 6);
});

test('an aborted run stops', async () => {
  await assert.rejects(run(true, { signal: AbortSignal.abort() }), { name: 'AbortError' });
});
