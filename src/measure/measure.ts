/** Runs one command as a user would and says what it cost. */
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, unlinkSync } from 'node:fs';
import { memoryOf, treeOf } from './process-tree.ts';

export interface Command {
  readonly argv: readonly [string, ...string[]];
  /** In addition to the environment; what is undefined is taken out of it. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** Cost of one run of a whole process with all that it starts, from start to exit. */
export interface Cost {
  readonly seconds: number;
  readonly userSeconds: number;
  readonly systemSeconds: number;
  /** Most memory that one of its processes had resident. */
  readonly peakRssBytes: number;
  /** Most memory that all of its processes together had resident at once; pages that they share count for each of them. */
  readonly treePeakBytes: number;
  /** What they asked the system for and gave to it by calls, wherever that lies; what is mapped is not in it. */
  readonly readBytes: number;
  readonly writtenBytes: number;
}

export class CommandFailure extends Error {
  override readonly name = 'CommandFailure';
  readonly argv: readonly string[];
  readonly code: number | string | null;
  /** The last line of its output. */
  readonly lastLine: string;

  constructor({ argv }: Command, code: number | string | null, lastWords: string) {
    super(`${argv.join(' ')} ended with ${code}:\n${lastWords}`);
    this.argv = argv;
    this.code = code;
    this.lastLine = lastWords.trimEnd().split('\n').at(-1) ?? '';
  }
}

/**
 * @param log file for all output of the command
 * @throws CommandFailure when the command fails, the signal's reason when it was stopped by that
 */
export type Measure = (command: Command, log: string, signal: AbortSignal) => Promise<Cost>;

/**
 * The kernel adds what a process has used to the accounts of the one that waits for it. A shell that starts nothing else therefore has the
 * accounts of the command and of all that the command has waited for, when it has ended. A signal to stop reaches both, and the shell
 * heeds it after the command.
 */
const ACCOUNTED = `accounts=$1; shift; trap : TERM; "$@"; code=$?; { times; cat /proc/$$/io; } > "$accounts"; exit $code`;
/** Memory is the one account that ends with its process. The last moments are missed. */
const POLL_MS = 20;
const LAST_WORDS = 2000;
const KILLED_AFTER_MS = 20_000;

export function measurer({ env, kill }: Pick<NodeJS.Process, 'env' | 'kill'>): Measure {
  return async (command, log, signal) => {
    signal.throwIfAborted();
    const accounts = `${log}.accounts`;
    const output = openSync(log, 'w');
    const start = performance.now();
    // A process group of its own: a Ctrl-C of the terminal must not reach it as well, and a signal to stop reaches all of it.
    const child = spawn('/bin/sh', ['-c', ACCOUNTED, 'sh', accounts, ...command.argv], {
      env: { ...env, ...command.env },
      stdio: ['ignore', output, output],
      detached: true,
    });
    closeSync(output);
    const send = (name: NodeJS.Signals) => child.pid !== undefined && child.exitCode === null && kill(-child.pid, name);
    let late: NodeJS.Timeout | undefined;
    const stop = () => {
      send('SIGTERM');
      late = setTimeout(() => send('SIGKILL'), KILLED_AFTER_MS);
    };
    signal.addEventListener('abort', stop, { once: true });
    const peak = { peakRssBytes: 0, treePeakBytes: 0 };
    const poll = setInterval(() => child.pid !== undefined && look(child.pid, peak), POLL_MS);
    const code = await new Promise<number | NodeJS.Signals | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (exitCode, killed) => resolve(exitCode ?? killed));
    }).finally(() => {
      clearInterval(poll);
      clearTimeout(late);
      signal.removeEventListener('abort', stop);
    });
    const seconds = (performance.now() - start) / 1000;
    signal.throwIfAborted();
    if (code !== 0) throw new CommandFailure(command, code, readFileSync(log, 'utf8').slice(-LAST_WORDS));
    return { seconds, ...parseAccounts(accounts), ...peak };
  };
}

/** @param shell which is not counted */
function look(shell: number, peak: { peakRssBytes: number; treePeakBytes: number }): void {
  const memory = treeOf(shell)
    .slice(1)
    .map((pid) => memoryOf(pid));
  peak.peakRssBytes = Math.max(peak.peakRssBytes, ...memory.map((its) => its.peak));
  // One process may have had more for a moment than all have at any look.
  peak.treePeakBytes = Math.max(
    peak.treePeakBytes,
    peak.peakRssBytes,
    memory.reduce((sum, its) => sum + its.now, 0),
  );
}

/** The second line of `times` is of the processes that were waited for: `0m1.50s 0m0.30s`. */
function parseAccounts(path: string): Pick<Cost, 'userSeconds' | 'systemSeconds' | 'readBytes' | 'writtenBytes'> {
  const text = readFileSync(path, 'utf8');
  unlinkSync(path);
  const [user = 0, system = 0] = [...(text.split('\n')[1] ?? '').matchAll(/(\d+)m([\d.,]+)s/g)].map(
    ([, minutes, seconds]) => 60 * Number(minutes) + Number(seconds?.replace(',', '.')),
  );
  const bytes = (field: string) => Number(new RegExp(`^${field}: (\\d+)$`, 'm').exec(text)?.[1] ?? 0);
  return { userSeconds: user, systemSeconds: system, readBytes: bytes('rchar'), writtenBytes: bytes('wchar') };
}
