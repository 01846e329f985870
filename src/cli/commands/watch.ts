/** `shardctl watch [NAME…|--all]`: bring repositories up to date whenever their sources change, until it is stopped. */
import process from 'node:process';
import { EXIT } from '../../core/errors.ts';
import type { Event } from '../../core/events.ts';
import { inotifyCalls } from '../../core/inotify-calls.ts';
import type { RepositoryRecord } from '../../core/model.ts';
import { parseTime } from '../../home/times.ts';
import { Index } from '../../index/index.ts';
import { EventDesk } from '../../watch/event-desk.ts';
import { type WatchedSource, type WatchOptions, watchSource } from '../../watch/watch.ts';
import { type Args, usage } from '../command-line/args.ts';
import type { Context } from '../command-line/context.ts';
import type { OptionName } from '../command-line/options.ts';
import { runOptions } from '../command-line/run-options.ts';
import { EACH_UPDATE } from '../command-line/spec.ts';
import { hookTimeoutMs } from '../hooks/hook-settings.ts';
import { runProblemHook } from '../hooks/problem-hook.ts';
import { lockWaitMs, reading } from '../session/session.ts';
import { runUpdate, updateCall } from '../steps/child-update.ts';
import { graceOf } from '../steps/grace-of.ts';
import { assertHasSource, repositoriesToUpdate } from '../steps/repositories-to-update.ts';
import { metricsPath } from '../steps/run-log.ts';

export async function run(context: Context): Promise<number> {
  const { args, absolute, onExit, signal } = context;
  const pace = {
    settleMs: timeOf(args, 'settle', '5s'),
    maxWaitMs: timeOf(args, 'max-wait', '1h'),
    fullEveryMs: timeOf(args, 'full-every', '24h'),
    everyMs: timeOf(args, 'every', '1h'),
    syncLocks: args.all('sync-lock').map(({ value }) => absolute(value)),
  };
  checkOptionsOfUpdates(context);
  // systemd may send it before all is ready: it would end a process that does not know of it.
  const reloads: (() => void)[] = [];
  process.on('SIGHUP', () => {
    for (const reload of reloads) reload();
  });
  const repositories = await reading(context, async (session) => {
    const named = repositoriesToUpdate(context, session.index);
    for (const repository of named) await assertHasSource(context, session, repository);
    return named;
  });
  if (repositories.length > 1 && args.flag('metrics-file'))
    throw usage('--metrics-file is about one repository: watch each by a command of its own', args.command);
  const calls = inotifyCalls();
  const desk = calls === undefined ? undefined : new EventDesk(calls);
  if (desk !== undefined) onExit(() => desk.close());
  const watching = ({ name }: RepositoryRecord) =>
    watchSource({
      ...pace,
      repository: name,
      known: () => knownOf(context, name),
      desk,
      update: updating(context, name, repositories.length > 1),
      emit: telling(context, name),
      signal,
      onReload: (reload) => void reloads.push(reload),
    });
  try {
    await Promise.all(repositories.map(watching));
    return EXIT.done;
  } finally {
    desk?.close();
  }
}

function timeOf(args: Args, option: OptionName, otherwise: string): number {
  const text = args.text(option) ?? otherwise;
  const ms = parseTime(text);
  // Only of settling can there be none.
  if (ms !== undefined && (ms > 0 || option === 'settle')) return ms;
  throw usage(`--${option} "${text}" is not a time such as 30s, 5m or 12h`, args.command);
}

/** A mistake is found now, and not by each update. */
function checkOptionsOfUpdates(context: Context): void {
  const { args, absolute } = context;
  runOptions(args, absolute);
  graceOf(context, { grace: undefined });
  lockWaitMs(context);
  metricsPath(context);
  if (args.flag('hook-timeout')) hookTimeoutMs(args, undefined);
  if (args.flag('all') && args.positionals.length > 0) throw usage('--all and a NAME do not go together', args.command);
}

/** As the index has it now: `add` may have given it another source or other filters. */
async function knownOf({ home }: Context, name: string): Promise<WatchedSource | undefined> {
  const index = await Index.open(home.index, { readOnly: true });
  try {
    const record = index.repository(name);
    if (record === undefined || record.source === '') return undefined;
    return { source: record.source, filters: record.filters, copyLinks: record.copyLinks === true };
  } finally {
    await index.close();
  }
}

/** A run that holds the repository is waited for, because that is no problem of anybody's. */
const LOCK_WAIT = '--lock-wait=3600';

function updating(context: Context, name: string, isOneOfSeveral: boolean): WatchOptions['update'] {
  const waits = context.args.flag('lock-wait') ? [] : [LOCK_WAIT];
  // The bars of several would overwrite one another.
  const bars = isOneOfSeveral && !context.args.flag('no-progress') ? ['--no-progress'] : [];
  return async (list) => {
    const options: readonly OptionName[] = list === undefined ? [...EACH_UPDATE, 'repair'] : EACH_UPDATE;
    const { words, environment } = updateCall(context, name, options, list, process.env);
    return await runUpdate(context, { words: [...words, ...waits, ...bars], environment }, list);
  };
}

/** What goes wrong in an update, its own hook is told of. */
function telling({ args, home, version, output, reporter, quiet, now }: Context, repository: string): WatchOptions['emit'] {
  return (event: Event) => {
    reporter.event(event);
    if (event.type !== 'not-watching') return;
    const events: readonly Event[] = [{ type: 'started', repository }, event];
    void runProblemHook({ args, home, version, output, exit: { code: EXIT.done }, events, now: now(), quiet });
  };
}
