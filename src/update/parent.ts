/** The snapshot that a run starts from. */
import type { Emit } from '../core/events.ts';
import { type CidProfile, type CountedPeers, leastReplicas, newestOf, type Replication, type SnapshotRecord } from '../core/model.ts';
import type { StoredEntries } from '../index/entries/stored-entries.ts';
import type { Index } from '../index/index.ts';
import type { UsableShards } from '../storing/usable-shards.ts';

export interface Parent {
  /** The newest one, also while the gate holds it back: its files need not be read again. */
  readonly snapshot: SnapshotRecord;
  /** False when shards of it are lost: then even the same tree needs a new snapshot. */
  readonly isWhole: boolean;
  /** Undefined when its entries cannot be used: every file is read again. */
  readonly entries: StoredEntries | undefined;
}

export interface ParentOptions {
  readonly index: Index;
  readonly repository: string;
  readonly profile: CidProfile;
  readonly metadata: boolean;
  readonly emit: Emit;
  /** Which shards are there. */
  readonly usableShards: UsableShards;
}

/** The caller closes its entries. */
export function parentOf({ index, repository, profile, metadata, emit, usableShards }: ParentOptions): Parent | undefined {
  const known = index.repository(repository);
  const snapshot = known === undefined ? undefined : index.snapshot(repository, newestOf(known));
  if (known === undefined || snapshot === undefined) return undefined;
  // Under another profile, or with metadata instead of without, the same bytes have other CIDs: nothing of the parent can be used.
  if (known.profile !== profile.name || known.metadata !== metadata) return { snapshot, isWhole: true, entries: undefined };
  const lost = usableShards.lost(snapshot.shards).length;
  if (lost > 0) {
    const message = `${lost} of ${snapshot.shards.length} shards of ${repository} are lost: every file is read again, and what they held is stored again`;
    emit({ type: 'warning', message });
    return { snapshot, isWhole: false, entries: undefined };
  }
  const entries = index.entries.read(repository, snapshot.number);
  if (entries === undefined)
    emit({
      type: 'warning',
      message: `the index has no entries of ${repository}@${snapshot.number}, as after \`import-car\` or \`recover\`: every file is read`,
    });
  return { snapshot, isWhole: true, entries };
}

/**
 * Which shards this run may count on for blocks that they hold: those of the parent, and those with as many replicas as the repository
 * asks for. A block in a shard that another repository placed on fewer peers is stored again. That costs the block's own bytes, while
 * another replica of the shard may cost a hundred megabytes for one licence text.
 */
export function usableIn(
  { replication, peers }: { readonly replication: Replication; readonly peers: CountedPeers },
  usableShards: UsableShards,
  parent: Parent | undefined,
): (shard: number) => boolean {
  const least = leastReplicas(replication, peers);
  const named = new Set(parent?.snapshot.shards);
  return (shard) => named.has(shard) || usableShards.replicas(shard) >= least;
}
