/** The program: reads the command line, runs the command, turns what happens into lines and an exit code. Owns signals and the exit. */
import { readFileSync } from 'node:fs';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { behindCommit, EXIT, errnoOf, ioError, isShortage, messageOf, ShardctlError } from '../core/errors.ts';
import type { Event } from '../core/events.ts';
import { loadFailure } from '../core/open-files.ts';
import type { HomePaths } from '../home/home.ts';
import { type Args, parseCommandLine } from './command-line/args.ts';
import { WRITTEN_PLACES } from './command-line/command-spec.ts';
import type { Context } from './command-line/context.ts';
import { type FromVariable, namingVariables } from './command-line/environment.ts';
import { COMPLETION_REQUEST } from './command-line/spec.ts';
import { type Absolute, chosenHome, fromHere, refuseOtherThanUtf8, variable } from './command-line/surroundings.ts';
import { MOST_EARLY_EVENTS, ProblemWatch } from './hooks/problem-watch.ts';
import { leave } from './leave.ts';
import { loadCommand } from './load-command.ts';
import { Output } from './reporter/output.ts';
import type { Exit, Reporter } from './reporter/reporter.ts';
import type { Result } from './results/results.ts';
import { beginPrivate } from './session/privacy.ts';
import type { RunWatch } from './session/run-watch.ts';

/**
 * How long a run that was asked to stop may take to do so in good order. It is longer than any step that should not be cut short. After
 * it the run ends anyway, which is safe at any moment: a daemon that drips, a disk that does not answer, or somebody who does not read
 * our output would hold it up for ever.
 */
const GRACE_MS = 1500;
/** A run that is over sooner is not worth watching. */
const WATCHED_AFTER_MS = 1000;

export async function main(argv: readonly string[]): Promise<never> {
  const output = new Output(process.stdout, process.stderr);
  // Help and versions do without: to load what `leave` needs takes 5 ms.
  let end: (code: number) => never = (code) => process.exit(code);
  const code = await run(argv, output, () => {
    end = leave;
  });
  const isStopped = code === EXIT.interrupted || code === EXIT.terminated;
  await (isStopped ? Promise.race([output.flushed(), sleep(GRACE_MS)]) : output.flushed());
  end(code);
}

/** @param onCommand called when a command is about to run, or what was asked for cannot be done */
async function run(argv: readonly string[], output: Output, onCommand: () => void): Promise<number> {
  let reporter: Reporter | undefined;
  let problems: ProblemWatch | undefined;
  let said: readonly FromVariable[] = [];
  try {
    if (argv[0] === COMPLETION_REQUEST) return await complete(argv.slice(2), output);
    refuseOtherThanUtf8(argv);
    const parsed = parseCommandLine(argv, variable);
    if (parsed.kind === 'run') said = parsed.args.fromVariables;
    if (parsed.kind === 'run' && parsed.args.flag('wide')) output.showAll();
    if (parsed.kind === 'version') {
      await tellVersion(output, parsed.json);
      await output.assertWritten();
      return EXIT.done;
    }
    if (parsed.kind === 'help') {
      const { helpText } = await import('./command-line/help.ts');
      for (const line of (await helpText(parsed.words, process.stdout.columns ?? 100)).trimEnd().split('\n')) output.line(line);
      await output.assertWritten();
      return EXIT.done;
    }
    onCommand();
    const teller = await reporterFor(parsed.args, output);
    const absolute = fromHere();
    if (WRITTEN_PLACES.some((name) => parsed.args.flag(name)) || parsed.args.command.options.includes('dest'))
      await checkPlaces(parsed.args, absolute);
    const isLogged = parsed.args.flag('log-file') || parsed.args.isTyped('log-format');
    const log = isLogged ? await logFor(parsed.args, absolute, teller) : undefined;
    const watch = parsed.args.command.startsRuns === true ? undefined : new LateWatch();
    const its = parsed.args.command.options.includes('on-problem') ? new ProblemWatch(parsed.args, output, version) : undefined;
    problems = its;
    const afterwards: (() => void)[] = [];
    reporter = {
      event: (event) => {
        watch?.take(event);
        its?.take(event);
        log?.event(event);
        teller.event(event);
      },
      finish: (exit) => {
        log?.finish(exit);
        teller.finish(exit);
        for (const note of afterwards.splice(0)) note();
      },
    };
    const onTold = (note: () => void) => void afterwards.push(note);
    const code = await runCommand(parsed.args, { absolute, output, reporter, watch, onTold });
    await its?.end({ code });
    return code;
  } catch (error) {
    onCommand();
    reporter ??= await fallbackReporter(argv, output);
    const exit = exitOf(namingVariables(error, said));
    reporter.finish(exit);
    if (exit.error?.code === 'BUG' && argv.some((arg) => arg === '-v' || arg === '--verbose')) noteStack(error, output);
    await problems?.end(exit);
    return exit.code;
  }
}

async function tellVersion(output: Output, json: boolean): Promise<void> {
  if (!json) return output.line(version());
  output.json({ type: 'version', version: version() } satisfies Result);
  (await import('./reporter/json.ts')).jsonReporter(output, false).finish({ code: EXIT.done });
}

/** Asked by the script of `shardctl completion` at each TAB. @param words those after the program's name */
async function complete(words: readonly string[], output: Output): Promise<number> {
  const { completionsOf, homeIn } = await import('./command-line/completion.ts');
  const { namesIn } = await import('./session/names.ts');
  const names = namesIn(() => chosenHome(homeIn(words), fromHere()));
  for (const line of await completionsOf(words, names)) {
    // fish takes a tab between a word and what it means.
    const shown = line.split('\t').map((part) => output.shown(part));
    await output.bytes(Buffer.from(`${shown.join('\t')}\n`));
  }
  return EXIT.done;
}

interface Run extends Pick<Context, 'onTold'> {
  readonly absolute: Absolute;
  readonly output: Output;
  readonly reporter: Reporter;
  readonly watch: LateWatch | undefined;
}

async function runCommand(args: Args, { absolute, output, reporter, watch, onTold }: Run): Promise<number> {
  const controller = new AbortController();
  const releases: (() => void)[] = [];
  process.on('exit', () => {
    for (const release of releases.splice(0)) release();
  });
  stopOnSignals(controller, args);
  const home = chosenHome(args.text('home'), absolute);
  if (args.text('home') !== undefined) output.nameHome(home.dir);
  const umask = beginPrivate(home);
  const sweeps = args.command.words === 'update' && args.text('files-from') === undefined && args.text('from-rsync') === undefined;
  const secondThread = sweeps ? (await import('./start-second-thread.ts')).startAhead(home.index) : undefined;
  releases.push(() => secondThread?.leaveNative());
  if (watch !== undefined) releases.push(watch.begin(args, home));
  const command = await loadCommand(args.command.words);
  // An error that no stage waits for any more, as while a run is being stopped, must not end in a stack trace.
  process.once('uncaughtException', (error) => {
    // LMDB rejects several promises for one failed commit, and gives the reason later: the first counts, the others are ignored.
    process.on('uncaughtException', () => {});
    void behindCommit(error).then((cause) => {
      const exit = exitOf(controller.signal.aborted ? controller.signal.reason : inHome(cause, args, home));
      reporter.finish(exit);
      if (args.flag('verbose')) noteStack(error, output);
      leave(exit.code);
    });
  });
  try {
    const running = command({
      args,
      home,
      absolute,
      umask,
      version: version(),
      output,
      reporter,
      json: args.flag('json'),
      quiet: args.flag('quiet') || args.flag('root-only'),
      watched: isWatched(args, output),
      signal: controller.signal,
      secondThread,
      now: Date.now,
      onExit: (release) => releases.push(release),
      onTold,
    });
    const code = await Promise.race([running.then((code) => output.assertWritten().then(() => code)), overdue(controller.signal, args)]);
    reporter.finish({ code });
    return code;
  } catch (error) {
    // Whatever an operation throws when it is aborted: what happened is the user's signal.
    if (controller.signal.aborted) throw controller.signal.reason;
    const failure = inHome(error, args, home);
    throw failure instanceof ShardctlError && failure.code === 'NO_SPACE'
      ? await (await import('./session/full-disk-hint.ts')).withItsDisk(failure, home, version())
      : failure;
  }
}

/**
 * Writes into the home how far the run is (`session/run-watch.ts`), when it has taken a second: the many runs that find nothing to do
 * load and write nothing. Keeps the events until then.
 */
class LateWatch {
  readonly #early: Event[] = [];
  #watch: RunWatch | undefined;

  take(event: Event): void {
    if (this.#watch !== undefined) this.#watch.take(event);
    else if (event.type !== 'change' && this.#early.length < MOST_EARLY_EVENTS) this.#early.push(event);
  }

  /** @returns ends it */
  begin(args: Args, home: HomePaths): () => void {
    let isOver = false;
    const begin = async () => {
      const { isSeen, RunWatch } = await import('./session/run-watch.ts');
      if (isOver || !isSeen(args, home)) return;
      this.#watch = new RunWatch(args, home, Date.now);
      for (const event of this.#early.splice(0)) this.#watch.take(event);
    };
    const timer = setTimeout(() => void begin(), WATCHED_AFTER_MS).unref();
    return () => {
      isOver = true;
      clearTimeout(timer);
      this.#watch?.end();
    };
  }
}

/** A system call that failed, and that no stage has put into words, is taken for one on the home. */
function inHome(error: unknown, args: Args, home: HomePaths): unknown {
  return errnoOf(error) === undefined ? error : ioError(error, `running \`shardctl ${args.command.words}\``, home.dir);
}

/** Rejects when a run has been asked to stop and still goes on. */
function overdue(signal: AbortSignal, { command: { graceMs = GRACE_MS } }: Args): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => setTimeout(() => reject(signal.reason), graceMs), { once: true });
  });
}

/** The first signal asks the run to stop in good order, the second one ends it at once. */
function stopOnSignals(controller: AbortController, args: Args): void {
  const hint =
    args.command.words === 'add' || args.command.words === 'update'
      ? 'run the same command again: it goes on where it stopped'
      : 'nothing was damaged; run the command again';
  const stop = (code: 'INTERRUPTED' | 'TERMINATED', message: string) => () => {
    const reason = new ShardctlError(code, message, { hint });
    if (controller.signal.aborted) leave(reason.exitCode);
    controller.abort(reason);
  };
  process.on('SIGINT', stop('INTERRUPTED', 'interrupted'));
  process.on('SIGTERM', stop('TERMINATED', 'terminated'));
}

async function reporterFor(args: Args, output: Output): Promise<Reporter> {
  const verbose = args.flag('verbose');
  const quiet = args.flag('quiet') || args.flag('root-only');
  if (args.flag('json')) return (await import('./reporter/json.ts')).jsonReporter(output, quiet);
  if (quiet) return (await import('./reporter/quiet.ts')).quietReporter(output);
  if (isWatched(args, output)) return (await import('./reporter/progress.ts')).progressReporter(output, verbose, Date.now);
  return (await import('./reporter/plain.ts')).plainReporter(output, verbose, Date.now);
}

/** Before anything is written. */
async function checkPlaces(args: Args, absolute: Absolute): Promise<void> {
  const { refuseWritingIntoOurs } = await import('./steps/written-places.ts');
  await refuseWritingIntoOurs(args, chosenHome(args.text('home'), absolute), absolute);
}

async function logFor(args: Args, absolute: Absolute, teller: Reporter): Promise<Reporter> {
  const { openLog } = await import('./steps/run-log-file.ts');
  return openLog(args, { absolute, version: version(), onTrouble: (message) => teller.event({ type: 'warning', message }) });
}

function isWatched(args: Args, output: Output): boolean {
  // Bars and lists of changes would overwrite one another on a terminal.
  const silent = (['json', 'quiet', 'root-only', 'no-progress', 'itemize', 'dry-run'] as const).some((name) => args.flag(name));
  return output.stderr.isTTY === true && process.env.TERM !== 'dumb' && !silent && args.command.startsRuns !== true;
}

/** For a command line that could not be read: a program that asked for JSON gets its exit line all the same. */
async function fallbackReporter(argv: readonly string[], output: Output): Promise<Reporter> {
  if (argv.includes('--json')) return (await import('./reporter/json.ts')).jsonReporter(output, false);
  return (await import('./reporter/quiet.ts')).quietReporter(output);
}

function exitOf(thrown: unknown): Exit {
  const error = loadFailure(thrown);
  if (error instanceof ShardctlError) {
    const { code, message, hint } = error;
    return { code: error.exitCode, error: hint === undefined ? { code, message } : { code, message, hint } };
  }
  // Modules are loaded when they are needed: that may fail, too.
  if (isShortage(error)) return exitOf(ioError(error, 'loading the program', ''));
  return {
    code: EXIT.bug,
    error: { code: 'BUG', message: `internal error: ${messageOf(error)}`, hint: 'this is a bug in shardctl; -v shows where' },
  };
}

function noteStack(error: unknown, output: Output): void {
  for (const line of String((error as Error | null)?.stack ?? error).split('\n')) output.note(line);
}

function version(): string {
  const { version: text } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as { version: string };
  return text;
}
