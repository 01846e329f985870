/** Whether the gate can judge what it had no program for when it judged a snapshot. */
import type { GateOrder } from '../core/gate.ts';
import type { SnapshotRecord } from '../core/model.ts';

export async function mayBeUnpackedNow({ gate: known }: Pick<SnapshotRecord, 'gate'>, order: GateOrder): Promise<boolean> {
  for (const program of known?.lacking ?? []) if (await order.has(program)) return true;
  return false;
}
