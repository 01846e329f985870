import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { DigestMap } from '../digest-map.ts';
import { ShardctlError } from '../errors.ts';
import type { Event } from '../events.ts';
import type { Replication, ShardRecord } from '../model.ts';
import type { Peer, PutOptions, SealedShard } from '../peer/peer.ts';
import { type PlaceableShard, Placer } from './placer.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'shardctl-place-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

/** A peer that remembers what it was given, or fails. */
class FakePeer {
  readonly kind = 'local';
  readonly tags = {};
  readonly name: string;
  readonly has = new Set<string>();
  readonly #put: (shard: SealedShard, options: PutOptions) => Promise<void>;

  constructor(name: string, put: (shard: SealedShard, options: PutOptions) => Promise<void> = async () => {}) {
    this.name = name;
    this.#put = put;
  }

  async put(shard: SealedShard, options: PutOptions): Promise<void> {
    assert.ok(existsSync(shard.carPath), 'the file is there as long as anybody needs it');
    await this.#put(shard, options);
    if (options.mayConsume) rmSync(shard.carPath);
    this.has.add(shard.cid);
  }

  async metric() {
    return { freeBytes: 1000, usedBytes: 0, at: 0 };
  }
}

const broken = async (): Promise<void> => {
  throw new ShardctlError('IO', 'disk error');
};

interface World {
  readonly placer: Placer;
  readonly records: ShardRecord[];
  readonly events: Event[];
}

/** Allocates in the order of the peers, as long as they have not failed. */
function world(peers: FakePeer[], replication: Replication, record: (shard: ShardRecord) => Promise<void> = async () => {}): World {
  const records: ShardRecord[] = [];
  const events: Event[] = [];
  const failed = new Set<string>();
  const placer = new Placer({
    repository: 'test',
    peers: new Map(peers.map((peer) => [peer.name, peer as unknown as Peer])),
    replication,
    allocations: {
      allocate(_cid, _bytes, { min, max }, except) {
        const names = peers.map(({ name }) => name).filter((name) => !failed.has(name) && !except.has(name));
        if (names.length < min) throw new ShardctlError('NO_SPACE', 'nobody is left');
        return names.slice(0, max < 0 ? names.length : max);
      },
      settle() {},
      leave: (name) => void failed.add(name),
    },
    emit: (event) => void events.push(event),
    signal: new AbortController().signal,
    announce: async () => {},
    record: async (shard) => {
      await record(shard);
      records.push(shard);
    },
  });
  return { placer, records, events };
}

function shard(number: number): PlaceableShard {
  const carPath = join(dir, `${number}.car`);
  writeFileSync(carPath, 'car');
  return { number, cid: `cid${number}`, bytes: 3, blocks: 1, dagSize: 4, carPath, carBytes: 3, digests: new DigestMap() };
}

test('a shard is recorded when all of its peers have it, and its file is gone then', async () => {
  const peers = [new FakePeer('a'), new FakePeer('b'), new FakePeer('c')];
  const { placer, records } = world(peers, { min: 2, max: 2 }, async ({ peers: holders }) => {
    for (const name of holders) assert.ok(peers.find((peer) => peer.name === name)?.has.has('cid0'));
  });
  await placer.place(shard(0));
  await placer.drained();
  assert.deepEqual(
    records.map(({ state, peers: holders }) => [state, holders]),
    [['placed', ['a', 'b']]],
  );
  assert.equal(existsSync(join(dir, '0.car')), false);
});

test('another peer takes the place of one that fails, which is named once and gets nothing more', async () => {
  const peers = [new FakePeer('bad', broken), new FakePeer('b'), new FakePeer('c')];
  const { placer, records, events } = world(peers, { min: 2, max: 2 });
  for (let i = 0; i < 4; i++) await placer.place(shard(i));
  await placer.drained();
  for (const { peers: holders } of records) assert.deepEqual(holders, ['b', 'c']);
  assert.equal(records.length, 4);
  assert.ok(events.filter((event) => event.type === 'warning' && event.message.includes('bad')).length >= 1);
});

test('fewer replicas than the most are enough, fewer than the least stop the run with what went wrong', async () => {
  const enough = world([new FakePeer('a'), new FakePeer('bad', broken)], { min: 1, max: 2 });
  await enough.placer.place(shard(0));
  await enough.placer.drained();
  assert.deepEqual(enough.records[0]?.peers, ['a']);

  const few = world([new FakePeer('a'), new FakePeer('bad', broken)], { min: 2, max: 2 });
  await assert.rejects(async () => {
    await few.placer.place(shard(1));
    await few.placer.drained();
  }, ShardctlError);
  assert.deepEqual(few.records, []);
});

test('a slow peer holds the pipeline back instead of piling up shards', async () => {
  let release = () => {};
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  const { placer, records } = world([new FakePeer('slow', () => gate)], { min: 1, max: 1 });
  let accepted = 0;
  const producing = (async () => {
    for (let i = 0; i < 8; i++) {
      await placer.place(shard(i));
      accepted++;
    }
  })();
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.ok(accepted <= 3, `${accepted} accepted while none could be placed`);
  release();
  await producing;
  await placer.drained();
  assert.equal(records.length, 8);
});
