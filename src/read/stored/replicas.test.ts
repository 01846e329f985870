import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ErrorCode, ShardctlError } from '../../core/errors.ts';
import { sha256 } from '../../dag/cid.ts';
import type { Peer, ShardReader } from '../../peer/peer.ts';
import { type Failure, Replicas } from './replicas.ts';

const BLOCK = Buffer.from('the block');
const DIGEST = sha256(BLOCK);

/** A peer far away with one block, which can be told to fail or to hang. */
class FarPeer {
  fails: ErrorCode | undefined;
  hangs = false;
  isHere = true;
  opens = 0;
  reads = 0;
  alone = 0;
  givesAlone = false;

  get asPeer(): Peer {
    const answer = async (): Promise<Uint8Array> => {
      if (this.hangs) await new Promise(() => {});
      if (this.fails !== undefined) throw new ShardctlError(this.fails, 'it fails');
      return BLOCK;
    };
    const reader: Partial<ShardReader> = {
      read: async () => {
        this.reads++;
        return await answer();
      },
      close: async () => {},
    };
    return {
      name: '',
      kind: 'kubo',
      has: async () => this.isHere,
      open: async () => {
        this.opens++;
        return reader as ShardReader;
      },
      ...(this.givesAlone
        ? {
            block: async () => {
              this.alone++;
              return await answer();
            },
          }
        : {}),
    } as unknown as Peer;
  }
}

function replicasOf(peers: Record<string, FarPeer>, trouble: string[] = [], now: () => number = () => 0): Replicas {
  return new Replicas({
    peers: new Map(Object.entries(peers).map(([name, peer]) => [name, Object.assign(peer.asPeer, { name })])),
    onTrouble: (message) => trouble.push(message),
    patienceMs: 20,
    now,
  });
}

const place = (...peers: string[]) => ({ cid: 'shard', peers });

test('a silent peer costs nobody anything while another has the block, and is asked again when it is the only one', async () => {
  let now = 0;
  const [a, b] = [new FarPeer(), new FarPeer()];
  const trouble: string[] = [];
  const replicas = replicasOf({ a, b }, trouble, () => now);
  a.fails = 'TOO_FEW_PEERS';
  for (let i = 0; i < 20; i++) assert.deepEqual(await replicas.read(place('a', 'b'), DIGEST), BLOCK);
  assert.deepEqual([a.reads, b.reads], [1, 20]);
  assert.deepEqual(trouble, ['peer "a": it fails']);
  const failures: Failure[] = [];
  assert.equal(await replicas.read(place('a'), DIGEST, failures), undefined);
  assert.deepEqual([a.reads, failures[0]?.error.code], [1, 'TOO_FEW_PEERS'], 'at once, by what is known');
  a.fails = undefined;
  now += 1000;
  assert.deepEqual(await replicas.read(place('a'), DIGEST), BLOCK);
  assert.deepEqual(await replicas.read(place('a', 'b'), DIGEST), BLOCK);
  assert.equal(a.reads, 3, 'it is one of them again');
});

test('a peer that hangs is not waited for when another has the block', async () => {
  const [a, b] = [new FarPeer(), new FarPeer()];
  a.hangs = true;
  assert.deepEqual(await replicasOf({ a, b }).read(place('a', 'b'), DIGEST), BLOCK);
});

test('a peer that is silent comes back by itself: it is asked in the background, whoever gives the block', async () => {
  let now = 0;
  const [a, b] = [new FarPeer(), new FarPeer()];
  const replicas = replicasOf({ a, b }, [], () => now);
  a.fails = 'TOO_FEW_PEERS';
  await replicas.read(place('a', 'b'), DIGEST);
  a.fails = undefined;
  now += 1000;
  await replicas.read(place('a', 'b'), DIGEST);
  await new Promise((resolve) => setImmediate(resolve));
  const before = a.reads;
  await replicas.read(place('a', 'b'), DIGEST);
  assert.equal(a.reads, before + 1);
});

test('a damaged block is told once and comes from the other peer, and is tried again a minute later', async () => {
  let now = 0;
  const [a, b] = [new FarPeer(), new FarPeer()];
  const trouble: string[] = [];
  const replicas = replicasOf({ a, b }, trouble, () => now);
  a.fails = 'DAMAGE';
  for (let i = 0; i < 5; i++) assert.deepEqual(await replicas.read(place('a', 'b'), DIGEST), BLOCK);
  assert.deepEqual([a.reads, trouble], [1, ['peer "a": it fails']]);
  a.fails = undefined;
  now += 60_000;
  await replicas.read(place('a', 'b'), DIGEST);
  assert.equal(a.reads, 2);
});

test('a shard that another run has removed from the peer is no damage, and no trouble where it should not be any more', async () => {
  const a = new FarPeer();
  const trouble: string[] = [];
  const replicas = replicasOf({ a }, trouble);
  a.fails = 'DAMAGE';
  a.isHere = false;
  const failures: Failure[] = [];
  assert.equal(await replicas.read({ ...place('a'), isStillOn: () => false }, DIGEST, failures), undefined);
  assert.deepEqual([failures[0]?.error.code, trouble], ['NOT_FOUND', []]);
});

test('single blocks are asked for by themselves, and a shard of which much is read is opened', async () => {
  const a = new FarPeer();
  a.givesAlone = true;
  const replicas = replicasOf({ a });
  for (let shard = 0; shard < 100; shard++) await replicas.read({ cid: `shard ${shard}`, peers: ['a'] }, DIGEST);
  assert.deepEqual([a.alone, a.opens], [100, 0]);
  for (let i = 0; i < 50; i++) await replicas.read(place('a'), DIGEST);
  assert.deepEqual([a.alone, a.opens, a.reads], [108, 1, 42]);
});

test('of a peer that is not set up any more the message says so', async () => {
  await assert.rejects(replicasOf({}).need(place('gone'), DIGEST), { code: 'TOO_FEW_PEERS', message: /"gone" is not configured/ });
});
