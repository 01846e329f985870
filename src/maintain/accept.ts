/** `accept`: makes a snapshot the head that the gate holds back, because somebody knows better. */
import { shellWord } from '../core/display.ts';
import { ShardctlError } from '../core/errors.ts';
import { isHeld, type SnapshotRecord, snapshotName } from '../core/model.ts';
import { commitSnapshot, type HeadMove } from '../storing/new-head.ts';

/**
 * What is contradicted in it is accepted for the snapshots after it, too, as long as nothing is added (`update/judgement.ts`).
 * @returns the snapshot as it is recorded now; as it was, where it is the head already: who accepts twice has nothing left to do
 * @throws ShardctlError `USAGE` when it is older than the head
 */
export async function accept(move: HeadMove, snapshot: SnapshotRecord): Promise<SnapshotRecord> {
  const { repository, number, gate } = snapshot;
  const known = move.index.repository(repository);
  if (known === undefined) throw new Error(`${repository} is not in the index`);
  const name = snapshotName(snapshot);
  if (number === known.head) return snapshot;
  if (number < known.head) {
    throw new ShardctlError('USAGE', `${name} is older than the head, ${repository}@${known.head}`, {
      hint: `\`shardctl publish ${shellWord(name)}\` points the IPNS name back at it; the head stays`,
    });
  }
  if (!isHeld(snapshot) || gate === undefined) throw new ShardctlError('USAGE', `the gate does not hold ${name} back`);
  const accepted: SnapshotRecord = { ...snapshot, gate: { ...gate, outcome: 'accepted' } };
  const { held, ...others } = known;
  // One that is newer stays held back: what was said of this one does not hold for it.
  await commitSnapshot(move, { ...others, head: number, ...(held === undefined || held === number ? {} : { held }) }, accepted);
  return accepted;
}
