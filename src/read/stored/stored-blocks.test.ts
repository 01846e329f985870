import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { type ErrorCode, ShardctlError } from '../../core/errors.ts';
import { DAG_PB, type ShardRecord } from '../../core/model.ts';
import { cidText, sha256 } from '../../dag/cid.ts';
import type { Index } from '../../index/index.ts';
import type { Peer } from '../../peer/peer.ts';
import { Replicas } from './replicas.ts';
import { MovedBlock, StoredBlocks } from './stored-blocks.ts';

const BLOCK = Buffer.from('the block');
const DIGEST = sha256(BLOCK);
const SHARD = cidText({ codec: DAG_PB, digest: sha256(Buffer.from('the shard')) }, 1);

function recordOn(peers: readonly string[], state: ShardRecord['state'] = 'committed'): ShardRecord {
  return { number: 7, cid: SHARD, bytes: 9, blocks: 1, carBytes: 200, dagSize: 60, peers, state };
}

/** An index with one shard: as it was when it was opened, and as it is now. */
function indexOf(opened: ShardRecord, current: () => ShardRecord | undefined): Index {
  const shardOf = (_digest: Uint8Array, _at: number, usable?: (shard: number) => boolean) => (usable?.(7) === false ? undefined : 7);
  const none = () => [];
  const index = { shardOf, shard: () => opened, currentShard: current, damagedShardOf: () => undefined, shards: none, repositories: none };
  return index as unknown as Index;
}

/** A peer far away, with the block or an error. */
function peer(name: string, answer: () => Promise<Uint8Array>): [string, Peer] {
  const reader = { read: answer, close: async () => {} };
  return [name, { name, kind: 'kubo', has: async () => true, open: async () => reader } as unknown as Peer];
}

const gives = async () => BLOCK;
const fails = (code: ErrorCode) => async () => {
  throw new ShardctlError(code, 'it fails');
};

function blocksOf(index: Index, peers: readonly [string, Peer][], trouble: string[] = []): StoredBlocks {
  return new StoredBlocks({ index, replicas: new Replicas({ peers: new Map(peers), onTrouble: (message) => trouble.push(message) }) });
}

test('a shard that was moved to another peer since the index was opened is read there, and that is no trouble', async () => {
  const trouble: string[] = [];
  const index = indexOf(recordOn(['a']), () => recordOn(['b']));
  const blocks = blocksOf(index, [peer('a', fails('NOT_FOUND')), peer('b', gives)], trouble);
  assert.deepEqual(await blocks.read(DIGEST), BLOCK);
  assert.deepEqual(trouble, []);
});

test('a shard that is missing where it should be is trouble, and damage where nobody else has it', async () => {
  const trouble: string[] = [];
  const index = indexOf(recordOn(['a']), () => recordOn(['a']));
  await assert.rejects(blocksOf(index, [peer('a', fails('NOT_FOUND'))], trouble).read(DIGEST), { code: 'DAMAGE' });
  assert.deepEqual(trouble, ['peer "a": it fails']);
});

test('a shard whose record is gone or set back has moved, whatever its peers say', async () => {
  for (const code of ['NOT_FOUND', 'DAMAGE', 'TOO_FEW_PEERS'] as const) {
    for (const now of [undefined, recordOn(['a'], 'sealed')]) {
      const index = indexOf(recordOn(['a']), () => now);
      await assert.rejects(blocksOf(index, [peer('a', fails(code))]).read(DIGEST), MovedBlock);
    }
  }
});

test('a peer that answers after the view was closed finds no index that is asked', async () => {
  let fail: (error: Error) => void = () => {};
  const late = () => new Promise<Uint8Array>((_, reject) => (fail = reject));
  const index = indexOf(recordOn(['a']), () => assert.fail('the index is closed'));
  const blocks = blocksOf(index, [peer('a', late)]);
  const reading = assert.rejects(blocks.read(DIGEST), { code: 'DAMAGE' });
  await setImmediate();
  await blocks.close();
  fail(new ShardctlError('NOT_FOUND', 'it fails'));
  await reading;
});
