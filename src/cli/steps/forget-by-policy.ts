/** Forgets what the setting `keep` of each repository, or else of the home, does not keep. */
import type { SnapshotRecord } from '../../core/model.ts';
import { parseKeep } from '../../home/retention.ts';
import { keep } from '../../maintain/forget.ts';
import type { Context } from '../command-line/context.ts';
import type { Session } from '../session/session.ts';

/** @returns the snapshots that are forgotten, or in a dry run would be @throws ShardctlError `USAGE` for a policy that somebody has put into the settings by hand */
export async function forgetByPolicy(
  { args, now }: Context,
  { config, index }: Session,
  names: readonly string[],
): Promise<SnapshotRecord[]> {
  const forgotten: SnapshotRecord[] = [];
  for (const name of names) {
    const record = index.repository(name);
    const policy = parseKeep(record?.upkeep?.keep ?? config.keep ?? 'all');
    if (record === undefined || policy === undefined) continue;
    const decisions = keep(index.snapshots(name), policy, record, now());
    const gone = decisions.filter(({ reasons }) => reasons.length === 0).map(({ snapshot }) => snapshot);
    const isDone = gone.length > 0 && !args.flag('dry-run');
    const numbers = gone.map(({ number }) => number);
    const stay = isDone ? await index.forget(name, numbers) : [];
    forgotten.push(...gone.filter(({ number }) => !stay.includes(number)));
  }
  return forgotten;
}
