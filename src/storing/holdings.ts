/** What this home has on its peers, each shard and each catalogue once, however many records, snapshots and repositories need it. */
import { hasLoss, type PlacedShard, type SnapshotRecord } from '../core/model.ts';
import { NumberMap } from '../core/number-map.ts';
import { CidMap } from '../dag/cid-map.ts';
import type { Index } from '../index/index.ts';
import { catalogueLabel, shardLabel } from './place/labels.ts';

export interface Holding extends PlacedShard {
  /** What people see of it on a peer. */
  readonly label: string;
  readonly isCatalogue: boolean;
  /** Numbers of the records that stand for it: two runs may have made the same shard. */
  readonly shards: number[];
  /** Snapshots of which it is the catalogue. */
  readonly snapshots: [repository: string, number: number][];
  /** What was lost of the shard when it was last read: a number of blocks, or that nobody knows how many. Absent when nothing was. */
  readonly lost?: number | 'unknown';
}

/**
 * All holdings, in the order of the shards' numbers, catalogues last. Shards in the state `sealed`, which `prune` is about to remove, are left
 * out. Each holding is made when it is asked for: a home may have half a million.
 */
export class Holdings {
  readonly #index: Index;
  readonly #repositories: readonly string[];
  /** Which of the repositories needs a shard, by its number. */
  readonly #needing = new NumberMap();
  readonly #catalogues: readonly Pick<SnapshotRecord, 'repository' | 'number' | 'catalogue'>[];
  /** Where each stands among all, by its CID. */
  readonly #places = new CidMap();
  /** Those for which several records stand. */
  readonly #shared: ReadonlyMap<string, Holding>;

  /** Reads the tables without a pause. */
  constructor(index: Index) {
    this.#index = index;
    this.#repositories = index.repositories().map(({ name }) => name);
    const catalogues: Pick<SnapshotRecord, 'repository' | 'number' | 'catalogue'>[] = [];
    for (const [at, name] of this.#repositories.entries()) {
      // One after the other, because the list of a snapshot's shards may be long.
      for (const { repository, number, catalogue, shards } of index.eachSnapshot(name)) {
        catalogues.push({ repository, number, catalogue });
        for (const shard of shards) this.#needing.set(shard, at);
      }
    }
    this.#catalogues = catalogues;
    const repeated = new Set<string>();
    for (const { cid } of this.#placed()) if (!this.#places.add(cid, this.#places.size)) repeated.add(cid);
    const shared = new Map<string, Holding>();
    if (repeated.size > 0)
      for (const one of this.#records()) if (repeated.has(one.cid)) shared.set(one.cid, together(shared.get(one.cid), one));
    this.#shared = shared;
  }

  /** How many there are. */
  get size(): number {
    return this.#places.size;
  }

  /** Where the shard or catalogue stands among all holdings, from 0 on; undefined of one that this home does not have. */
  placeOf(cid: string): number | undefined {
    return this.#places.get(cid);
  }

  /** As the tables are now, but only those holdings that were there when this was made, whatever other runs have added since. */
  *[Symbol.iterator](): Iterator<Holding> {
    const told = new Set<string>();
    for (const one of this.#records()) {
      const shared = this.#shared.get(one.cid);
      if (shared === undefined) {
        if (this.#places.get(one.cid) !== undefined) yield one;
      } else if (!told.has(one.cid)) {
        told.add(one.cid);
        yield shared;
      }
    }
  }

  *#placed(): Iterable<PlacedShard> {
    for (const shard of this.#index.shards()) if (shard.state !== 'sealed') yield shard;
    for (const { catalogue } of this.#catalogues) yield catalogue;
  }

  /** A holding for each record. */
  *#records(): Iterable<Holding> {
    for (const shard of this.#index.shards()) {
      if (shard.state === 'sealed') continue;
      const { cid, bytes, blocks, carBytes, peers, number } = shard;
      const label = shardLabel(this.#repositories[this.#needing.get(number) ?? -1] ?? 'shard', number);
      const holding = { cid, bytes, blocks, carBytes, peers, label, isCatalogue: false, shards: [number], snapshots: [] };
      yield hasLoss(shard) ? { ...holding, lost: shard.state === 'lost' ? 'unknown' : (shard.bad ?? []).length } : holding;
    }
    for (const { repository, number, catalogue } of this.#catalogues) {
      const { cid, bytes, blocks, carBytes, peers } = catalogue;
      const label = catalogueLabel(repository, number);
      yield { cid, bytes, blocks, carBytes, peers, label, isCatalogue: true, shards: [], snapshots: [[repository, number]] };
    }
  }
}

/** @param known what other records say of the same CID, which came before */
function together(known: Holding | undefined, one: Holding): Holding {
  if (known === undefined) return one;
  const peers = [...new Set([...known.peers, ...one.peers])];
  return { ...known, peers, shards: [...known.shards, ...one.shards], snapshots: [...known.snapshots, ...one.snapshots] };
}

/** All of them at once, for who changes them meanwhile. */
export function holdingsOf(index: Index): Holding[] {
  return [...new Holdings(index)];
}

/** Bytes of the holdings on each peer. @param peersOf the peers that have a holding */
export function bytesByPeer(holdings: Iterable<Holding>, peersOf: (holding: Holding) => readonly string[]): Map<string, number> {
  const bytes = new Map<string, number>();
  for (const holding of holdings) for (const name of peersOf(holding)) bytes.set(name, (bytes.get(name) ?? 0) + holding.carBytes);
  return bytes;
}
