import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { DAG_PB, RAW } from '../../core/model.ts';
import { cidText, sha256 } from '../../dag/cid.ts';
import { ManifestBuilder } from '../../shard/manifest.ts';
import { checkReplica } from '../../storing/copy/check-replica.ts';
import { lookForBlocks } from '../../storing/copy/rebuild.ts';
import { makeBlocks } from '../../testing/shards.ts';
import { statusError } from '../http/error.ts';
import { isIntact } from '../intact-shard.ts';
import type { Peer } from '../peer.ts';
import { openShard, type ShardSource } from './remote-reader.ts';

const CID = 'bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi';
const http = { who: 'peer "k"', address: 'http://k:5001' };
const saying = (status: number, said: string) => statusError({ settingsName: 'k', ...http, what: 'reading' }, status, said);

for (const [status, said, code] of [
  [500, 'input/output error', 'DAMAGE'],
  [500, 'block in storage has different hash than requested', 'DAMAGE'],
  [500, 'context canceled', 'TOO_FEW_PEERS'],
  [500, 'cannot access config, repo not open', 'TOO_FEW_PEERS'],
  [500, 'open blocks/XY: too many open files', 'TOO_FEW_PEERS'],
  [403, 'forbidden', 'TOO_FEW_PEERS'],
  [503, 'busy', 'TOO_FEW_PEERS'],
] as const) {
  test(`a shard whose manifest a daemon answers with HTTP ${status} and "${said}" is ${code}`, async () => {
    const refuses = () => Promise.reject(saying(status, said));
    const source = { http, block: refuses, exportCar: refuses, range: () => assert.fail('a manifest is read node by node') };
    await assert.rejects(openShard(source, CID), { code });
  });
}

const SHARD = makeBlocks(40, 100);
const cidOf = (at: number) => cidText({ codec: RAW, digest: sha256(SHARD[at] as Buffer) }, 1);

/**
 * A daemon with a shard of 40 blocks that gives its manifest and no stream. `answer` says what a block is answered: its bytes by default.
 * @param answer is given the number of the block, and how often it was asked for before
 */
function daemon(t: TestContext, answer: (at: number, nth: number) => Buffer | Error | undefined | 'it') {
  const manifest = new ManifestBuilder();
  for (const block of SHARD) manifest.add(sha256(block), 0, block.length);
  const nodes = new Map<string, Buffer>();
  const root = manifest.finish((block, digest) => nodes.set(cidText({ codec: DAG_PB, digest }, 1), Buffer.from(block)));
  const cid = cidText(root, 1);
  const places = new Map(SHARD.map((_, at) => [cidOf(at), at]));
  const asked: number[] = [];
  const source: ShardSource = {
    http,
    block: async (it) => {
      const at = places.get(it);
      if (at === undefined) return nodes.get(it);
      const given = answer(at, asked.filter((other) => other === at).length);
      asked.push(at);
      if (given instanceof Error) throw given;
      return given === 'it' ? SHARD[at] : given;
    },
    exportCar: () => Promise.reject(saying(500, 'context canceled')),
    range: () => assert.fail('a scan reads no range'),
  };
  const pausesMs: (number | undefined)[] = [];
  t.mock.method(globalThis, 'setTimeout', (over: () => void, ms?: number) => {
    pausesMs.push(ms);
    return setImmediate(over);
  });
  const open = () => openShard(source, cid);
  const peer = { name: 'k', open, metric: async () => ({}) } as unknown as Peer;
  /** What `verify` and `repair` make of it, where the daemon answers. */
  const check = async () => {
    const damage: string[] = [];
    const options = { readData: true, onDamage: (detail: string) => damage.push(detail), signal: new AbortController().signal };
    const { blocks } = await checkReplica({ cid, blocks: SHARD.length }, peer, options);
    return { blocks, damage };
  };
  /** What a copy can be made from. */
  const look = () => {
    const shard = { cid, bytes: 0, blocks: SHARD.length, carBytes: 0, peers: ['k'] };
    return lookForBlocks(shard, { from: [peer], signal: new AbortController().signal });
  };
  return { open, check, look, asked, pausesMs };
}

for (const said of ['context canceled', 'cannot access config, repo not open']) {
  test(`a block for which a daemon always answers "${said}" keeps no other from being read, and does not count as read`, async (t) => {
    const { check, open, asked, pausesMs } = daemon(t, (at) => (at === 2 ? saying(500, said) : at === 5 ? undefined : 'it'));
    const { blocks, damage } = await check();
    assert.equal(blocks, SHARD.length - 2);
    assert.deepEqual(damage, [`block ${cidOf(5)} is missing`, `reading on peer "k" failed (http://k:5001): HTTP 500: ${said}`]);
    assert.deepEqual([asked.filter((at) => at === 2).length, pausesMs], [4, [250, 500, 1000]]);
    // Whoever puts the shard hears that it could not be read. By `false` it would be written anew.
    await assert.rejects(isIntact(open), { code: 'TOO_FEW_PEERS' });
  });
}

test('blocks that a daemon gives when it is asked again come in shard order, and nothing is damaged', async (t) => {
  const busy = saying(500, 'open blocks/XY: too many open files');
  const { open, asked, pausesMs } = daemon(t, (at, nth) => ((at === 2 && nth < 2) || (at === 39 && nth < 1) ? busy : 'it'));
  const digests: Buffer[] = [];
  for await (const { digest } of (await open()).scan(assert.fail)) digests.push(Buffer.from(digest));
  assert.deepEqual(
    digests,
    SHARD.map((block) => Buffer.from(sha256(block))),
  );
  assert.deepEqual([asked.length, pausesMs], [SHARD.length + 3, [250, 500, 1000]]);
});

test('a block that a daemon never gives for a trouble of its own is not lost, and all others are had from one scan', async (t) => {
  const { look, asked } = daemon(t, (at) => (at === 2 ? saying(500, 'context canceled') : 'it'));
  const { lacking, damages, silences, unread } = await look();
  assert.deepEqual([lacking, damages.size, silences.size, [...unread.keys()]], [sha256(SHARD[2] as Buffer), 0, 0, ['k']]);
  // Four times in the scan, and once by itself.
  assert.equal(asked.length, SHARD.length - 1 + 5);
});

test('several blocks that were not given are one failure, which says how many they are', async (t) => {
  const { check } = daemon(t, (at) => (at % 10 === 3 ? saying(500, 'context canceled') : 'it'));
  const { blocks, damage } = await check();
  assert.equal(blocks, SHARD.length - 4);
  assert.match(
    damage.join('; '),
    /^4 blocks of shard \w+ were not given; reading on peer "k" failed \(http:\S+\): HTTP 500: context canceled$/,
  );
});

test('a daemon that gives no block for a trouble of its own is asked for few', async (t) => {
  const { check, asked } = daemon(t, () => saying(500, 'context canceled'));
  const { blocks, damage } = await check();
  assert.deepEqual([blocks, damage.length], [0, 1]);
  assert.deepEqual(asked, [0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7]);
});

test('a daemon that refuses a block, or does not answer for it, ends a scan at once', async (t) => {
  for (const [status, said] of [
    [403, 'forbidden'],
    [503, 'context canceled'],
  ] as const) {
    const { open, asked } = daemon(t, (at) => (at === 2 ? saying(status, said) : 'it'));
    await assert.rejects(isIntact(open), { code: 'TOO_FEW_PEERS' });
    assert.deepEqual(asked, [0, 1, 2]);
  }
});
