/** What `recover` is given. */

import type { Emit } from '../../core/events.ts';
import type { ByteString } from '../../core/model.ts';
import type { Index } from '../../index/index.ts';
import type { Peer } from '../../peer/peer.ts';
import type { Demand } from '../../storing/demand.ts';

/** Where snapshots are looked for. */
export interface Search {
  readonly peers: ReadonlyMap<string, Peer>;
  readonly emit: Emit;
  readonly signal: AbortSignal;
}

/** A snapshot that the gate held back in the lost home: it stays so. */
export interface HeldBack {
  /** CID of its tree, as the snapshot's record has it. */
  readonly tree: string;
  /** RFC 3339. */
  readonly time: string;
  /** Contradictions. */
  readonly count: number;
}

export interface RecoverRun extends Search {
  /** CIDs of snapshots or of their trees, and names of repositories, of which the whole history is meant; undefined for all there is. */
  readonly wanted: readonly string[] | undefined;
  /** ID of this home, which may have marked what it held before its index was lost. */
  readonly homeId: string;
  /** ID of the home whose snapshots are meant; undefined for this one's where it has any, and for everybody's where it has not. */
  readonly owner: string | undefined;
  /** Name of the repository, if not the one that its snapshots say: only where one repository is recovered. */
  readonly name: string | undefined;
  /** Where it is to be updated from; empty when nobody knows any more. */
  readonly source: ByteString;
  /** The head of a repository by its name, where something outlived the index that says so. */
  readonly headOf: (repository: string) => string | undefined;
  /** What a lost home noted of a repository's replication and allocators. @param owners IDs of the homes that marked its snapshots */
  readonly demandOf: (repository: string, owners: readonly string[]) => Partial<Demand>;
  /** What a lost home noted of snapshots that the gate holds back. @param owners as above, of all of its snapshots */
  readonly heldBackOf: (repository: string, owners: readonly string[]) => readonly HeldBack[];
  readonly index: Index;
  readonly heads: string;
}
