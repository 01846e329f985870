/** What is read of the tables one record after the other is what reading all of them into lists and maps gives, at small size. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { addedUp } from '../cli/results/replication-result.ts';
import { ShardctlError } from '../core/errors.ts';
import type { PlacedShard, ShardRecord, SnapshotRecord } from '../core/model.ts';
import { cidText, sha256 } from '../dag/cid.ts';
import type { Index } from '../index/index.ts';
import { replicasHeld, type ShardStatus, shardStatuses } from '../maintain/shard-status.ts';
import type { Peer } from '../peer/peer.ts';
import { Demands } from './demand.ts';
import { type Holding, Holdings } from './holdings.ts';
import { inventoriesOf, listedOf } from './peer-inventory.ts';
import { catalogueLabel, shardLabel } from './place/labels.ts';

/** Few CIDs, so that some stand for several records. */
const cid = fc.nat(5).map((n) => cidText({ codec: 0x70, digest: sha256(Buffer.from([n])) }, 1));
const PEERS = ['a', 'b', 'c'];
const peers = fc.uniqueArray(fc.constantFrom(...PEERS, 'gone'), { maxLength: 3 });
const placed = fc.record({ cid, bytes: fc.nat(9), blocks: fc.constant(1), carBytes: fc.nat(9), peers });
const loss = fc.oneof(fc.record({ bad: fc.array(fc.constant('digest'), { minLength: 1, maxLength: 3 }) }), fc.constant({}));
const state = fc.constantFrom('sealed', 'placed', 'committed', 'lost');
const snapshot = fc.tuple(fc.constantFrom('r', 's'), fc.uniqueArray(fc.nat(7)), placed);

interface Tables {
  readonly records: readonly ShardRecord[];
  readonly snapshots: readonly SnapshotRecord[];
  /** What each peer lists; one that is missing does not answer. */
  readonly lists: ReadonlyMap<string, readonly string[]>;
}

const tables = fc
  .tuple(
    fc.array(fc.tuple(placed, state, loss), { maxLength: 7 }),
    fc.array(snapshot, { maxLength: 4 }),
    fc.array(fc.tuple(fc.constantFrom(...PEERS), fc.array(cid)), { maxLength: 3 }),
  )
  .map(
    ([shards, snapshots, lists]): Tables => ({
      records: shards.map(([shard, is, lacks], i) => ({ ...shard, number: 3 * i, dagSize: 0, state: is, ...lacks }) as ShardRecord),
      snapshots: snapshots.map(([repository, numbers, catalogue], i) => {
        const it = { repository, number: i + 1, shards: numbers.map((number) => 3 * number), catalogue };
        return it as unknown as SnapshotRecord;
      }),
      lists: new Map(lists),
    }),
  );

function indexOf({ records, snapshots }: Tables): Index {
  const of = (name: string) => snapshots.filter(({ repository }) => repository === name);
  const repositories = ['r', 's'].map((name, i) => ({ name, replication: { min: i + 1, max: i + 1 } }));
  const index = {
    repositories: () => repositories,
    repository: (name: string) => repositories.find((one) => one.name === name),
    eachSnapshot: of,
    shards: () => records,
  };
  return index as unknown as Index;
}

function peersOf({ lists }: Tables): ReadonlyMap<string, Peer> {
  async function* list(name: string) {
    const cids = lists.get(name);
    if (cids === undefined) throw new ShardctlError('TOO_FEW_PEERS', 'silent');
    yield* cids;
  }
  return new Map(PEERS.map((name) => [name, { name, list: () => list(name) } as unknown as Peer]));
}

/** All in a map by CID, in the order in which a CID is met first. */
function slowHoldings({ records, snapshots }: Tables): Holding[] {
  const all = new Map<string, Holding>();
  const byRepository = ['r', 's'].flatMap((name) => snapshots.filter(({ repository }) => repository === name));
  const labelOf = (number: number) => byRepository.findLast(({ shards }) => shards.includes(number))?.repository ?? 'shard';
  const enter = (
    { cid: text, bytes, blocks, carBytes, peers: names }: PlacedShard,
    more: Pick<Holding, 'label' | 'isCatalogue' | 'lost'>,
  ) => {
    const known = all.get(text) ?? { cid: text, bytes, blocks, carBytes, shards: [], snapshots: [], ...more, peers: [] };
    const holding = { ...known, peers: [...new Set([...known.peers, ...names])] };
    all.set(text, holding);
    return holding;
  };
  for (const shard of records.filter((one) => one.state !== 'sealed')) {
    const { number, bad } = shard;
    const lost = shard.state === 'lost' ? { lost: 'unknown' as const } : bad === undefined ? {} : { lost: bad.length };
    enter(shard, { label: shardLabel(labelOf(number), number), isCatalogue: false, ...lost }).shards.push(number);
  }
  for (const { repository, number, catalogue } of byRepository)
    enter(catalogue, { label: catalogueLabel(repository, number), isCatalogue: true }).snapshots.push([repository, number]);
  return [...all.values()];
}

test('holdings are those that all records together give, in their order, each at its place', () => {
  fc.assert(
    fc.property(tables, (them) => {
      const holdings = new Holdings(indexOf(them));
      const slow = slowHoldings(them);
      assert.deepEqual([...holdings], slow);
      assert.deepEqual([...holdings], slow, 'a second time, too');
      assert.equal(holdings.size, slow.length);
      assert.deepEqual(new Set(slow.map((one) => holdings.placeOf(one.cid))), new Set(slow.keys()));
    }),
  );
});

test('what other runs record after the holdings were looked up is not among them', () => {
  fc.assert(
    fc.property(tables, fc.nat(7), (them, count) => {
      const records = [...them.records].slice(0, count);
      const holdings = new Holdings(indexOf({ ...them, records }));
      const before = new Set([...holdings].map((one) => one.cid));
      records.push(...them.records.slice(count));
      assert.deepEqual(new Set([...holdings].map((one) => one.cid)), before);
    }),
  );
});

test('a peer is found to list just those holdings that are in its inventory', async () => {
  await fc.assert(
    fc.asyncProperty(tables, async (them) => {
      const holdings = new Holdings(indexOf(them));
      const silent: string[] = [];
      const listed = await listedOf(peersOf(them), holdings, (name) => silent.push(name));
      const inventories = await inventoriesOf(peersOf(them));
      assert.deepEqual([...listed.keys()], [...inventories.keys()]);
      assert.deepEqual(
        silent,
        PEERS.filter((name) => !them.lists.has(name)),
      );
      for (const { cid: text } of holdings)
        for (const [name, cids] of inventories) assert.equal(listed.get(name)?.has(text), cids.has(text));
    }),
  );
});

test('what one look through all shards adds up is what a list of them says, question by question', async () => {
  const home = { replication: { min: 3, max: 3 }, allocateBy: [] };
  await fc.assert(
    fc.asyncProperty(tables, async (them) => {
      const index = indexOf(them);
      const heads = ['r', 's'].flatMap((name) => them.snapshots.findLast(({ repository }) => repository === name) ?? []);
      const statuses = await shardStatuses(index, peersOf(them), new Demands(index, { home }));
      const { total, fewest } = addedUp(statuses, heads);
      const all = [...statuses];
      const named = new Set(them.snapshots.flatMap(({ shards }) => shards));
      const needed = slowHoldings(them).filter(({ isCatalogue, shards }) => isCatalogue || shards.some((number) => named.has(number)));
      assert.deepEqual(
        all.map((one) => [one.cid, one.shards, one.lost]),
        needed.map((one) => [one.cid, one.shards, one.lost]),
      );
      const bytes = (some: readonly ShardStatus[]) => some.reduce((sum, one) => sum + one.bytes, 0);
      const atRisk = all.filter((one) => replicasHeld(one) < one.least);
      const none = atRisk.filter((one) => replicasHeld(one) === 0);
      const away = none.filter(({ replicas }) => replicas.some((one) => one.state === 'silent'));
      const lost = none.filter(({ replicas }) => !replicas.some((one) => one.state === 'silent'));
      assert.deepEqual(total, {
        type: 'replication',
        least: all.length === 0 ? 1 : Math.min(...all.map(({ least }) => least)),
        shards: all.length,
        bytes: bytes(all),
        atRisk: atRisk.length,
        atRiskBytes: bytes(atRisk),
        lost: lost.length,
        lostBytes: bytes(lost),
        away: away.length,
        awayBytes: bytes(away),
        damaged: all.filter((one) => one.lost !== undefined).length,
      });
      for (const { repository, shards } of heads) {
        const held = all.filter((one) => one.shards.some((number) => shards.includes(number))).map(replicasHeld);
        assert.equal(fewest.get(repository), held.length === 0 ? undefined : Math.min(...held));
      }
    }),
  );
});
