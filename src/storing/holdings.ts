/** What this home has on its peers, each shard and each catalogue once, however many records, snapshots and repositories need it. */
import type { PlacedShard } from '../core/model.ts';
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
}

/**
 * @returns in the order of the shards' numbers, catalogues last. Shards in the state `sealed`, which `prune` is about to remove, are left
 * out.
 */
export function holdingsOf(index: Index): Holding[] {
  const snapshots = index.repositories().flatMap(({ name }) => index.snapshots(name));
  const repositoryOf = new Map<number, string>();
  for (const { repository, shards } of snapshots) for (const number of shards) repositoryOf.set(number, repository);
  const holdings = new Map<string, Holding>();
  const enter = (shard: PlacedShard, label: string, isCatalogue: boolean): Holding => {
    const known = holdings.get(shard.cid);
    const { cid, bytes, blocks, carBytes } = shard;
    const peers = [...new Set([...(known?.peers ?? []), ...shard.peers])];
    const holding = { cid, bytes, blocks, carBytes, label, isCatalogue, shards: [], snapshots: [], ...known, peers };
    holdings.set(cid, holding);
    return holding;
  };
  for (const shard of index.shards()) {
    if (shard.state === 'sealed') continue;
    enter(shard, shardLabel(repositoryOf.get(shard.number) ?? 'shard', shard.number), false).shards.push(shard.number);
  }
  for (const { repository, number, catalogue } of snapshots)
    enter(catalogue, catalogueLabel(repository, number), true).snapshots.push([repository, number]);
  return [...holdings.values()];
}

/** Bytes of the holdings on each peer. @param peersOf the peers that have a holding */
export function bytesByPeer(holdings: Iterable<Holding>, peersOf: (holding: Holding) => readonly string[]): Map<string, number> {
  const bytes = new Map<string, number>();
  for (const holding of holdings) for (const name of peersOf(holding)) bytes.set(name, (bytes.get(name) ?? 0) + holding.carBytes);
  return bytes;
}
