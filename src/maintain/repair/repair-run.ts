/** What `repair` is given. */
import type { Maintenance } from '../maintenance.ts';

export interface RepairRun extends Maintenance {
  /** Read and hash every block of every replica, or of those of these shards, by their CIDs; otherwise only sizes and manifests are looked at. */
  readonly readData: boolean | ReadonlySet<string>;
  /** Only say what would be done. */
  readonly dryRun: boolean;
  /** Look at a part of the home; absent: at all of it. */
  readonly part?: RepairPart;
}

export interface RepairPart {
  /** CIDs of the shards and catalogues to look at. */
  readonly shards: ReadonlySet<string>;
  /** Leave out what is not about these: whether trees are whole, marks on the peers, and replicas that no record names. */
  readonly isQuick: boolean;
}

export function reads({ readData }: RepairRun, cid: string): boolean {
  return typeof readData === 'boolean' ? readData : readData.has(cid);
}

/** Tells of a peer that does not answer: it is a finding when nobody waits for it any more. */
export function tellSilence({ emit, grace }: RepairRun, peer: string, detail: string): void {
  const until = grace?.until(peer);
  if (until === undefined) emit({ type: 'no-answer', peer, detail, ...(grace?.isKnown(peer) === true ? { known: true } : {}) });
  else emit({ type: 'waiting', peer, until: new Date(until).toISOString(), detail });
}
