/** `--on-problem`: runs at the end of a run that has something to say, when the lock is free again. */
import { hostname } from 'node:os';
import { EXIT } from '../../core/errors.ts';
import type { Event } from '../../core/events.ts';
import type { Config } from '../../home/config.ts';
import { loadConfig } from '../../home/config-file.ts';
import type { HomePaths } from '../../home/home.ts';
import { Index } from '../../index/index.ts';
import type { Args } from '../command-line/args.ts';
import type { Output } from '../reporter/output.ts';
import type { Exit } from '../reporter/reporter.ts';
import { errorLine, problemLine } from '../reporter/text.ts';
import { runHook } from './hook-process.ts';
import { chosenHook, hookTimeoutMs } from './hook-settings.ts';
import { MESSAGE_VERSION, type ProblemMessage } from './messages.ts';

/** So many problems are in the message. */
const MOST_PROBLEMS = 20;

export interface EndedRun {
  readonly args: Args;
  readonly home: HomePaths;
  readonly version: string;
  readonly output: Output;
  readonly exit: Exit;
  /** The first of those that the run told of, in their order. */
  readonly events: readonly Event[];
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly quiet: boolean;
}

/** Fails for nothing: what is wrong with the hook is said in a line. */
export async function runProblemHook(run: EndedRun): Promise<void> {
  const { args, home, output, quiet } = run;
  try {
    const config = await loadConfig(home, run.version).catch(() => undefined);
    const message = messageOf(run);
    const ofRepository = await ownHook(home, message.repositories);
    const told = { onCommandLine: args.text('on-problem'), ofRepository, ofHome: config?.onProblem };
    const command = chosenHook(told, home, (why) => output.note(`warning: ${why}`));
    if (command === undefined) return;
    const kept: string[] = [];
    const show = (line: string) => output.note(`on-problem: ${line}`);
    const why = await runHook({
      command,
      message,
      env: {
        SHARDCTL_HOOK: 'problem',
        SHARDCTL_HOME: home.dir,
        SHARDCTL_EXIT_CODE: String(message.exitCode),
        SHARDCTL_TEXT: message.text,
      },
      timeoutMs: timeoutMs(args, config),
      onLine: quiet ? (line) => kept.push(line) : show,
    });
    if (why === undefined) return;
    for (const line of kept) show(line);
    output.note(`warning: the hook on-problem has failed: ${why}`);
  } catch (error) {
    output.note(`warning: the hook on-problem could not be run: ${(error as Error).message}`);
  }
}

/** A run that failed because of `--hook-timeout` itself tells of that in time. */
function timeoutMs(args: Args, config: Config | undefined): number {
  try {
    return hookTimeoutMs(args, config);
  } catch {
    return 60_000;
  }
}

/** That of the repository, where the run was about one. An index that cannot be opened says nothing. */
async function ownHook({ index: dir }: HomePaths, repositories: readonly string[]): Promise<string | undefined> {
  const [name, ...others] = repositories;
  if (name === undefined || others.length > 0) return undefined;
  try {
    const index = await Index.open(dir, { readOnly: true });
    try {
      return index.repository(name)?.upkeep?.onProblem;
    } finally {
      await index.close();
    }
  } catch {
    return undefined;
  }
}

function messageOf({ args, home, exit, events, now }: EndedRun): ProblemMessage {
  const lines = [...new Set(events.flatMap((event) => problemLine(event) ?? []))];
  const started = events.flatMap((event) => (event.type === 'started' || event.type === 'failed' ? [event.repository] : []));
  const isNamed = ['add', 'update'].includes(args.command.words);
  const problems = lines.slice(0, MOST_PROBLEMS);
  // What was held back, and how it is accepted, says more than the first of what its indexes contradict.
  const held = exit.code === EXIT.held ? events.find(({ type }) => type === 'gate') : undefined;
  const first = held === undefined ? problems[0] : problemLine(held);
  const last = exit.error === undefined ? first : errorLine(exit.error).replace(/^shardctl: /, '');
  return {
    version: MESSAGE_VERSION,
    hook: 'problem',
    text: `${args.shown} on ${hostname()} ended with ${exit.code}${last === undefined ? '' : `: ${last}`}`,
    host: hostname(),
    home: home.dir,
    command: args.shown,
    time: new Date(now).toISOString(),
    exitCode: exit.code,
    ...(exit.error === undefined ? {} : { error: exit.error }),
    repositories: [...new Set(isNamed && args.command.words === 'update' ? [...started, ...args.positionals] : started)],
    problems,
    more: lines.length - problems.length,
  };
}
