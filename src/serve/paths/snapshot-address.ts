/** Which snapshot an address means, and how long an answer from it stays true. */
import { displayPath } from '../../core/display.ts';
import { type BlockId, type SnapshotRecord, snapshotName } from '../../core/model.ts';
import { parseCid } from '../../dag/cid.ts';
import { endOfDate, snapshotAt } from '../../snapshot/snapshot-date.ts';
import type { ServedRepository } from '../mirror.ts';

export interface MeantSnapshot {
  readonly snapshot: SnapshotRecord;
  /** The address will always lead here: it has a snapshot's number, or a date before which nothing can come any more. */
  readonly isFixed: boolean;
}

/** There is no such snapshot. The message says which there are. */
export class NoSuchSnapshot extends Error {}

/** @param when after the `@`; undefined for the head @throws NoSuchSnapshot */
export function meantSnapshot({ name, head, snapshots, tags }: ServedRepository, when: string | undefined): MeantSnapshot {
  if (when === undefined) return { snapshot: head, isFixed: false };
  const snapshot = snapshotAt(snapshots, when, tags);
  if (snapshot !== undefined) {
    // What is committed from now on is not older than the head. So only a date that leads to the head may lead to another one later,
    // and a tag may be given to another snapshot at any time.
    const isDate = endOfDate(when) !== undefined;
    return { snapshot, isFixed: /^\d+$/.test(when) || (isDate && snapshot.number !== head.number) };
  }
  const [oldest] = snapshots;
  if (oldest !== undefined && endOfDate(when) !== undefined)
    throw new NoSuchSnapshot(`${name} was not here at ${when}: the oldest snapshot is ${snapshotName(oldest)} of ${oldest.time}`);
  throw new NoSuchSnapshot(
    `there is no snapshot ${name}@${displayPath(when)}: a number, a tag, or a date such as 2026-11-25 or 20261125T120000Z follows the "@"`,
  );
}

/** The snapshot before this one, of those that are kept. */
export function snapshotBefore({ snapshots }: ServedRepository, { number }: SnapshotRecord): SnapshotRecord | undefined {
  return snapshots.findLast((snapshot) => snapshot.number < number);
}

interface Decoded {
  readonly root: BlockId;
  /** Seconds since 1970. */
  readonly committed: number;
}

const decoded = new WeakMap<SnapshotRecord, Decoded>();

/** The root of a snapshot's tree, and its time, taken from their texts once. */
export function decodedSnapshot(snapshot: SnapshotRecord): Decoded {
  let known = decoded.get(snapshot);
  if (known === undefined) {
    const { codec, digest } = parseCid(snapshot.tree);
    known = { root: { codec, digest }, committed: Date.parse(snapshot.time) / 1000 };
    decoded.set(snapshot, known);
  }
  return known;
}
