import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { SnapshotRecord } from '../../core/model.ts';
import type { Index } from '../../index/index.ts';
import type { Peer } from '../../peer/peer.ts';
import { Demands } from '../../storing/demand.ts';
import { expectedShards } from './expected-shards.ts';

const peers = new Map<string, Peer>();
const HOME = { replication: { min: 1, max: 1 }, allocateBy: [] };
const lists = fc.array(fc.tuple(fc.constantFrom('r', 's'), fc.array(fc.nat(9))), { maxLength: 5 });

/** A home whose repositories ask for two and three replicas, and the snapshots with these shards. */
function homeOf(them: readonly (readonly [string, readonly number[]])[]) {
  const records = new Map(Array.from({ length: 10 }, (_, number) => [number, { number, cid: `shard ${number}`, peers: [] }]));
  const snapshots = them.map(([repository, shards], i) => {
    return { repository, number: i + 1, shards, catalogue: { cid: `catalogue ${i}` } } as unknown as SnapshotRecord;
  });
  const least = (name: string) => (name === 'r' ? 2 : 3);
  const repository = (name: string) => ({ name, replication: { min: least(name), max: 3 } });
  const index = {
    shard: (number: number) => records.get(number),
    repositories: () => [repository('r'), repository('s')],
    repository,
    eachSnapshot: (name: string) => snapshots.filter((one) => one.repository === name),
  } as unknown as Index;
  const expected = () => expectedShards([], snapshots, { index, indexDir: '/index', demands: new Demands(index, { home: HOME }), peers });
  const needing = (number: number) => them.flatMap(([name, shards]) => (shards.includes(number) ? [least(name)] : []));
  return { records, snapshots, expected, least, needing };
}

test('each shard is expected once, on as many peers as the most that any repository asks, and each catalogue', () => {
  fc.assert(
    fc.property(lists, (them) => {
      const { snapshots, expected, least, needing } = homeOf(them);
      const shards = [...new Set(them.flatMap(([, numbers]) => numbers))];
      const all = [
        ...shards.map((number) => [`shard ${number}`, Math.max(...needing(number))]),
        ...snapshots.map(({ repository, catalogue }) => [catalogue.cid, least(repository)]),
      ];
      const found = expected();
      for (const _ of ['first', 'second'])
        assert.deepEqual(
          Array.from(found, (shard) => [shard.cid, shard.least]),
          all,
        );
    }),
  );
});

test('a record that was never there is damage; one that another run has removed since is not', () => {
  const { records, expected } = homeOf([['r', [0, 1, 2]]]);
  const before = expected();
  assert.equal([...before].length, 4);
  records.delete(1);
  assert.deepEqual(
    Array.from(before, ({ cid }) => cid),
    ['shard 0', 'shard 2', 'catalogue 0'],
  );
  assert.throws(() => [...expected()], { code: 'DAMAGE' });
});
