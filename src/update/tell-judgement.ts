/** Tells of a snapshot that the gate holds back, or lets through with a warning. */
import { displayPath } from '../core/display.ts';
import type { Emit } from '../core/events.ts';
import type { SnapshotRecord } from '../core/model.ts';
import { hasOnlyThoseOf } from '../core/verdict.ts';

/** So many contradictions are told by themselves: a mail with thousands of them is not read. */
const MOST_TOLD = 20;

/**
 * @param head number of the head that stays, or of the snapshot itself; 0 when there is none
 * @param parent what the run started from: what was told of it already is not told again
 */
export function tellJudgement(
  emit: Emit,
  { repository, number, time, gate }: SnapshotRecord,
  head: number,
  parent: SnapshotRecord | undefined,
): void {
  if (gate === undefined || (gate.outcome !== 'held' && gate.outcome !== 'warned')) return;
  const { outcome, count, contradictions, asBefore = 0 } = gate;
  const isTold = parent?.gate?.outcome === outcome && hasOnlyThoseOf(gate, parent.gate);
  const told = isTold ? [] : contradictions.slice(0, MOST_TOLD);
  for (const { kind, what, index, path, detail } of told)
    emit({ type: 'contradiction', repository, number, kind, what, index: displayPath(index), path: displayPath(path), detail });
  emit({ type: 'gate', repository, number, outcome, head: head === 0 ? null : head, count, told: told.length, asBefore, time });
}
