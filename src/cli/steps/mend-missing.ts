/** `update --repair`: what the update and the peers say is missing is mended in the same run. */
import { EXIT, ShardctlError, worstOf } from '../../core/errors.ts';
import type { Maintenance } from '../../maintain/maintenance.ts';
import { type Repaired, repair } from '../../maintain/repair/repair.ts';
import { missingSomewhere, standOf } from '../../maintain/stand.ts';
import type { Context } from '../command-line/context.ts';
import type { StorageOptions } from '../command-line/storage-options.ts';
import { lostLines, repairedLines } from '../results/repaired.ts';
import { answer } from '../results/results.ts';
import { reading, type Session, writing } from '../session/session.ts';
import { maintenanceRun } from './maintenance-run.ts';

/**
 * Mends after the update: what clients wait for is not held up by copies that take hours. An update that has failed is no reason not to
 * mend, unless it was stopped.
 * @returns the worse of both exit codes @throws what `work` has thrown
 */
export async function mendingAfter(context: Context, { transfers, bwlimit }: StorageOptions, work: () => Promise<number>): Promise<number> {
  let code: number;
  try {
    code = await work();
  } catch (error) {
    if (context.signal.aborted || !(error instanceof ShardctlError)) throw error;
    await mendMissing(context, { transfers, bwlimit }).catch((other: unknown) => tell(context, other));
    throw error;
  }
  return worstOf([code, await mendMissing(context, { transfers, bwlimit })]);
}

/** The error of the update is the one with which the run ends. */
function tell({ reporter, signal }: Context, error: unknown): void {
  if (signal.aborted || !(error instanceof ShardctlError)) throw error;
  reporter.event({ type: 'step-failed', step: 'repair', code: error.code, message: error.message, ...hintOf(error) });
}

export function hintOf({ hint }: ShardctlError): { hint?: string } {
  return hint === undefined ? {} : { hint };
}

type Limits = Pick<StorageOptions, 'transfers' | 'bwlimit'>;

/**
 * To mend takes the whole home, which a long `add` of another repository may keep from this run. So it looks first without any lock: as
 * a rule nothing is missing.
 */
async function mendMissing(context: Context, limits: Limits): Promise<number> {
  const found = await reading(context, async (session) => missing(await runOf(context, session, limits)));
  return found.size === 0 ? EXIT.done : await writing(context, (session) => mendNow(context, session, limits));
}

async function missing(run: Maintenance): Promise<Set<string>> {
  return new Set(missingSomewhere(await standOf(run)));
}

/** What was typed for the repository that was updated is remembered by now, and says nothing of the others. */
async function runOf(context: Context, session: Session, limits: Limits): Promise<Maintenance> {
  return await maintenanceRun(context, session, { ...limits, shardBytes: undefined, replication: undefined, allocateBy: undefined });
}

/** Asks every peer again, as others may have mended meanwhile, and looks only at shards that this shows to be missing somewhere. */
async function mendNow(context: Context, session: Session, limits: Limits): Promise<number> {
  const { now, output, json, quiet } = context;
  const run = await runOf(context, session, limits);
  const shards = await missing(run);
  if (shards.size === 0) return EXIT.done;
  const started = now();
  const repaired = await repair({ ...run, readData: false, dryRun: false, part: { shards, isQuick: true } });
  const seconds = (now() - started) / 1000;
  for (const line of lostLines(repaired.lost)) output.note(line);
  if (!quiet || json) answer(context, [{ type: 'repaired', ...repaired, seconds }], () => repairedLines(repaired, seconds));
  return mendedCode(repaired);
}

/** @returns 44 for lost blocks, 42 where a peer that could not be read must come back first, 46 where shards stay on too few peers for want of others */
export function mendedCode({ lost, tooFew, away }: Repaired): number {
  if (lost.length > 0) return EXIT.damage;
  if (tooFew === 0) return EXIT.done;
  return tooFew > away ? EXIT.atRisk : EXIT.tooFewPeers;
}
