/** Keeps in the home what runs came to. Loaded by runs that have changed something, or have failed. */
import { existsSync } from 'node:fs';
import { EXIT } from '../../core/errors.ts';
import type { Summary } from '../../core/events.ts';
import type { HomePaths } from '../../home/home.ts';
import { failureOf, forgetFailure, recordFailure, recordUpdate, type UpdateRecord } from '../../home/runs/records.ts';

/** A run of one repository, as far as it is known. */
export interface LoggedRun {
  /** Milliseconds since 1970. */
  readonly began: number;
  readonly ended?: number;
  readonly exitCode?: number;
  readonly summary?: Summary;
}

/** That another run had the lock, or that the command was wrong, says nothing of the repository. */
const NOT_KEPT: ReadonlySet<number> = new Set([EXIT.locked, EXIT.usage]);

export function keepRun({ config, runs }: HomePaths, repository: string, run: LoggedRun): void {
  if (run.ended === undefined || run.exitCode === undefined || NOT_KEPT.has(run.exitCode) || !existsSync(config)) return;
  const { summary, exitCode } = run;
  const record: UpdateRecord = {
    ended: new Date(run.ended).toISOString(),
    seconds: (run.ended - run.began) / 1000,
    exitCode,
    ...(summary === undefined ? {} : { number: summary.number, changedEntries: summary.changedEntries, newBytes: summary.newBytes }),
  };
  if (summary?.unchanged === false) recordUpdate(runs, repository, record);
  if (exitCode === EXIT.done) forgetFailure(runs, repository);
  // The same file cannot be read every hour: that is one failure, of the time at which it began.
  else if (summary?.unchanged !== true || failureOf(runs, repository)?.exitCode !== exitCode) recordFailure(runs, repository, record);
}
