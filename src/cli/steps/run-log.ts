/** What `add` and `update` come to, for each repository: kept in the home (`home/runs/records.ts`), and written where `--metrics-file` says. */
import { existsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { EXIT, ShardctlError } from '../../core/errors.ts';
import type { Summary } from '../../core/events.ts';
import { usage } from '../command-line/args.ts';
import type { Context } from '../command-line/context.ts';
import { STARTED_BY_WATCH } from '../command-line/environment.ts';
import { variable } from '../command-line/surroundings.ts';
import type { LoggedRun } from './run-records.ts';

/** What is known of the run so far, by repository. */
export class RunLog {
  readonly runs = new Map<string, LoggedRun>();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  begin(repository: string): void {
    this.runs.set(repository, { began: this.#now() });
  }

  summary(summary: Summary): void {
    this.runs.set(summary.repository, { ...this.#of(summary.repository), summary });
  }

  /** Does nothing for a repository whose end is known already. */
  end(repository: string, exitCode: number): void {
    const run = this.#of(repository);
    if (run.ended === undefined) this.runs.set(repository, { ...run, ended: this.#now(), exitCode });
  }

  #of(repository: string): LoggedRun {
    return this.runs.get(repository) ?? { began: this.#now() };
  }
}

/** Runs `work`, and keeps and writes what it came to, also when it failed. @param repositories those that are meant, as far as they are known */
export async function withRunLog(
  context: Context,
  repositories: readonly string[],
  work: (log: RunLog) => Promise<number>,
): Promise<number> {
  const log = new RunLog(context.now);
  if (context.args.flag('dry-run')) return await work(log);
  const metrics = metricsPath(context);
  for (const repository of repositories) log.begin(repository);
  let code: number = EXIT.bug;
  try {
    code = await work(log);
    return code;
  } catch (error) {
    if (error instanceof ShardctlError) code = error.exitCode;
    throw error;
  } finally {
    for (const repository of log.runs.keys()) log.end(repository, code);
    await keep(context, log);
    if (metrics !== undefined) await (await import('./metrics-file.ts')).writeRuns(context, metrics, log.runs);
  }
}

/**
 * Where `--metrics-file` wants a file; undefined when there is to be none.
 * @throws ShardctlError `USAGE` when there is no such directory, or what is there is no file, which would be replaced: found before the
 * run, not after hours
 */
export function metricsPath({ args, absolute }: Context): string | undefined {
  const text = args.text('metrics-file');
  if (text === undefined) return undefined;
  const path = absolute(text);
  if (existsSync(path) && !statSync(path).isFile()) throw usage(`--metrics-file ${text}: that is no file`, args.command);
  if (existsSync(dirname(path)) || variable(STARTED_BY_WATCH) !== undefined) return path;
  throw usage(`--metrics-file ${text}: there is no directory ${dirname(path)}`, args.command);
}

/** Keeps runs that have changed something, and those that have failed. One that has found nothing to do writes nothing. */
async function keep({ home }: Context, { runs }: RunLog): Promise<void> {
  const haveFailed = existsSync(home.failures);
  for (const [repository, run] of runs) {
    if (run.exitCode === EXIT.done && run.summary?.unchanged !== false && !haveFailed) continue;
    (await import('./run-records.ts')).keepRun(home, repository, run);
  }
}
