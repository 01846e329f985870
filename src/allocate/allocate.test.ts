import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ShardctlError } from '../errors.ts';
import type { Metric } from '../model.ts';
import type { Peer } from '../peer/peer.ts';
import { allocate, allocatorsOf, type Candidate, RESERVE_BYTES } from './allocate.ts';
import { Ledger } from './ledger.ts';

const GIB = 2 ** 30;
const MIB = 2 ** 20;
const BY_SPACE = allocatorsOf(['freespace']);

const candidate = (name: string, freeBytes: number, tags: Record<string, string> = {}): Candidate => ({
  name,
  tags,
  freeBytes,
  promisedBytes: 0,
});

/** A peer that only says how much it can take. */
function peer(name: string, free: number | ShardctlError, tags: Record<string, string> = {}): Peer {
  const metric = async (): Promise<Metric> => {
    if (free instanceof ShardctlError) throw free;
    return { freeBytes: free, usedBytes: 0, at: 0 };
  };
  return { name, kind: 'local', tags, metric } as Partial<Peer> as Peer;
}

const ledgerOf = (peers: Peer[], replication = { min: 1, max: 1 }, allocators = BY_SPACE) =>
  Ledger.open(new Map(peers.map((it) => [it.name, it])), replication, allocators, () => {});

test('after 100 equal shards each peer has a share in proportion to its free space, within 10 %', async () => {
  const free = { small: 20 * GIB, middle: 50 * GIB, large: 130 * GIB };
  const ledger = await ledgerOf(Object.entries(free).map(([name, bytes]) => peer(name, bytes)));
  const got: Record<string, number> = { small: 0, middle: 0, large: 0 };
  for (let shard = 0; shard < 100; shard++) {
    for (const name of ledger.allocate(`cid${shard}`, 128 * MIB, { min: 1, max: 1 }, new Set())) got[name] = (got[name] ?? 0) + 1;
  }
  for (const [name, bytes] of Object.entries(free)) {
    const share = (bytes / (200 * GIB)) * 100;
    assert.ok(Math.abs((got[name] as number) - share) <= Math.max(1, share * 0.1), `${name}: ${got[name]} of ${share}`);
  }
});

test('no peer is promised more than it has, and a shard never has two replicas on one peer', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 4096 }), { minLength: 1, maxLength: 6 }),
      fc.array(fc.integer({ min: 1, max: 512 }), { minLength: 1, maxLength: 60 }),
      fc.integer({ min: 1, max: 3 }),
      (free, shards, replicas) => {
        const promised = new Map<string, number>();
        for (const [number, size] of shards.entries()) {
          const candidates = free.map((mib, i) => ({ ...candidate(`p${i}`, mib * MIB), promisedBytes: promised.get(`p${i}`) ?? 0 }));
          const request = {
            cid: `cid${number}`,
            bytes: size * MIB,
            replication: { min: 1, max: replicas },
            candidates,
            allocators: BY_SPACE,
          };
          let names: string[];
          try {
            names = allocate(request);
          } catch (error) {
            assert.ok(error instanceof ShardctlError);
            assert.ok(candidates.every((it) => it.freeBytes - it.promisedBytes - RESERVE_BYTES < size * MIB));
            continue;
          }
          assert.equal(new Set(names).size, names.length);
          assert.ok(names.length <= replicas);
          for (const name of names) promised.set(name, (promised.get(name) ?? 0) + size * MIB);
        }
        for (const [i, mib] of free.entries()) assert.ok((promised.get(`p${i}`) ?? 0) <= Math.max(0, mib * MIB - RESERVE_BYTES));
      },
    ),
  );
});

test('replicas share no zone while another zone has room', () => {
  const candidates = [
    candidate('a1', 90 * GIB, { zone: 'a' }),
    candidate('a2', 80 * GIB, { zone: 'a' }),
    candidate('b1', GIB, { zone: 'b' }),
  ];
  const request = { cid: 'cid', bytes: MIB, candidates, allocators: allocatorsOf(['tag:zone', 'freespace']) };
  const two = allocate({ ...request, replication: { min: 2, max: 2 } });
  assert.ok(two.includes('b1'), two.join());
  assert.equal(allocate({ ...request, replication: { min: 3, max: 3 } }).length, 3);
});

test('equal peers are told apart by shard and name, the same way every time', () => {
  const candidates = ['x', 'y', 'z'].map((name) => candidate(name, GIB));
  const first = (cid: string, order: Candidate[]) =>
    allocate({ cid, bytes: MIB, replication: { min: 1, max: 1 }, candidates: order, allocators: BY_SPACE })[0];
  const chosen = Array.from({ length: 30 }, (_, i) => first(`cid${i}`, candidates));
  assert.deepEqual(
    chosen,
    Array.from({ length: 30 }, (_, i) => first(`cid${i}`, [...candidates].reverse())),
  );
  assert.equal(new Set(chosen).size, 3);
});

test('-1 means every peer', () => {
  const candidates = ['x', 'y', 'z'].map((name) => candidate(name, GIB));
  assert.equal(allocate({ cid: 'c', bytes: MIB, replication: { min: -1, max: -1 }, candidates, allocators: BY_SPACE }).length, 3);
  const full = [...candidates, candidate('full', 0)];
  assert.throws(() => allocate({ cid: 'c', bytes: MIB, replication: { min: -1, max: -1 }, candidates: full, allocators: BY_SPACE }), {
    code: 'NO_SPACE',
  });
});

test('a shard that does not fit names each peer and what it has to give', () => {
  const candidates = [candidate('p1', 100 * MIB), candidate('p2', RESERVE_BYTES + 5 * MIB)];
  assert.throws(() => allocate({ cid: 'c', bytes: 128 * MIB, replication: { min: 1, max: 1 }, candidates, allocators: BY_SPACE }), {
    code: 'NO_SPACE',
    message: /128\.0 MiB.*p1 has 84\.0 MiB to give, p2 has 5\.0 MiB to give/,
  });
});

test('a peer that does not answer is left out; too few that answer stop the run before it begins', async () => {
  const lost = new ShardctlError('TOO_FEW_PEERS', 'is the disk mounted?');
  const ledger = await ledgerOf([peer('there', GIB), peer('gone', lost)]);
  assert.deepEqual([...ledger.freeBytes().keys()], ['there']);
  await assert.rejects(ledgerOf([peer('there', GIB), peer('gone', lost)], { min: 2, max: 2 }), {
    code: 'TOO_FEW_PEERS',
    message: /2 replicas.*1 of 2/,
  });
});

test('an unknown allocator is refused', () => {
  assert.throws(() => allocatorsOf(['random']), { code: 'BAD_CONFIG' });
});
