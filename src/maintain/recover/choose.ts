/** Chooses from the snapshots that were found those that the user wants, by repository and in the order of time. */

import { ShardctlError } from '../../core/errors.ts';
import { cidText, parseCid } from '../../dag/cid.ts';
import type { FoundSnapshot } from './survey.ts';
import { treeText } from './take.ts';

/** A repository as it comes back. */
export interface History {
  readonly repository: string;
  /** Oldest first. */
  readonly snapshots: readonly FoundSnapshot[];
}

/** Newest first; of two of one moment, the one that comes first by its CID, so that every run says the same. */
export function newestFirst(a: FoundSnapshot, b: FoundSnapshot): number {
  return Date.parse(b.read.file.time) - Date.parse(a.read.file.time) || (a.read.cid < b.read.cid ? -1 : 1);
}

/** A CID in the one form in which snapshots are compared; undefined when the text is none. */
export function cidOf(text: string): string | undefined {
  try {
    return cidText(parseCid(text), 1);
  } catch (error) {
    if (error instanceof ShardctlError) return undefined;
    throw error;
  }
}

/** Whether this is the snapshot of that CID, or the one whose tree has it. */
function isNamed({ read }: FoundSnapshot, cid: string): boolean {
  return read.cid === cid || cidOf(treeText(read)) === cid;
}

export interface Choice {
  /** CIDs of snapshots or trees, names of repositories; undefined for everything. */
  readonly wanted: readonly string[] | undefined;
  /** ID of this home. */
  readonly homeId: string;
  /** ID of the home whose snapshots are meant, if it was said. */
  readonly owner: string | undefined;
  /** How many shards of a snapshot nobody holds. */
  readonly missingFrom: (snapshot: FoundSnapshot) => number;
}

/** @returns each repository once, by name @throws ShardctlError `NOT_FOUND` naming the first that is not there */
export function choose(found: readonly FoundSnapshot[], { wanted, homeId, owner, missingFrom }: Choice): History[] {
  const newest = found.filter(({ owners }) => owner === undefined || owners.includes(owner)).sort(newestFirst);
  const chosen = wanted === undefined ? newest : wanted.flatMap((one) => matching(newest, one));
  const histories = new Map<string, FoundSnapshot[]>();
  for (const snapshot of new Set(chosen)) {
    const { repository } = snapshot.read.file;
    histories.set(repository, [...(histories.get(repository) ?? []), snapshot]);
  }
  return [...histories]
    .map(([repository, all]) => {
      const snapshots = wanted?.includes(repository) === false ? all : ofThisHome(all, homeId);
      return { repository, snapshots: withoutTwins(snapshots.sort(newestFirst), missingFrom).reverse() };
    })
    .sort((a, b) => (a.repository < b.repository ? -1 : 1));
}

/** Another home on the same peers may have a repository of the same name: where this home has marked its own, those are meant. */
function ofThisHome(snapshots: FoundSnapshot[], homeId: string): FoundSnapshot[] {
  const own = snapshots.filter(({ owners }) => owners.includes(homeId));
  return own.length > 0 ? own : snapshots;
}

function matching(newest: readonly FoundSnapshot[], wanted: string): FoundSnapshot[] {
  const cid = cidOf(wanted);
  // The same tree may be in several snapshots: the newest stands for it.
  const one = cid === undefined ? undefined : newest.find((snapshot) => isNamed(snapshot, cid));
  const all = one === undefined ? newest.filter(({ read }) => read.file.repository === wanted) : [one];
  if (all.length > 0) return all;
  throw new ShardctlError('NOT_FOUND', `no snapshot, tree or repository ${wanted} is on these peers`, {
    hint: 'without a name, `shardctl recover --from PEER…` lists what is there; name every peer that the home had',
  });
}

/**
 * `prune` gives a snapshot a new list of shards, and so another CID; one that died may have left both on the peers. They are one
 * state of the repository: the one of which more is there stays, of equals the first.
 */
function withoutTwins(snapshots: readonly FoundSnapshot[], missingFrom: (snapshot: FoundSnapshot) => number): FoundSnapshot[] {
  const states = new Map<string, FoundSnapshot>();
  for (const snapshot of snapshots) {
    const { time, parent } = snapshot.read.file;
    const key = `${time} ${parent} ${treeText(snapshot.read)}`;
    const twin = states.get(key);
    if (twin === undefined || missingFrom(snapshot) < missingFrom(twin)) states.set(key, snapshot);
  }
  return [...states.values()];
}
