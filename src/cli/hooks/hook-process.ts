/** Runs a command line of the operator: by the shell, with a message on its stdin, for a limited time. Nothing that it does fails the run. */
import { spawn } from 'node:child_process';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { messageOf } from '../../core/errors.ts';
import { STARTED_BY_WATCH } from '../command-line/environment.ts';

export interface HookRun {
  /** For `sh -c`, as cron takes it. */
  readonly command: string;
  /** Becomes one line of JSON on stdin. */
  readonly message: object;
  /** Added to the environment of the run, which loses the tokens that are in it. */
  readonly env: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  /** When it is aborted the hook is killed. */
  readonly signal?: AbortSignal;
  /** Called for each line of its output. */
  readonly onLine: (line: string) => void;
}

/** What it may write, in lines and in characters of a line; the rest is read and dropped, so that the hook does not hang. */
const MOST_LINES = 100;
const MOST_COLUMNS = 1000;
/** A process that it has left behind may hold its output open: that is not waited for. */
const DRAIN_MS = 500;

/** @returns why it failed; undefined when it has ended with 0 */
export async function runHook({ command, message, env, timeoutMs, signal, onLine }: HookRun): Promise<string | undefined> {
  // A group of its own, so that all that it has started ends with it.
  const child = spawn('/bin/sh', ['-c', command], { env: { ...forHooks(process.env), ...env }, stdio: 'pipe', detached: true });
  let why: string | undefined;
  const killed = (reason: string) => {
    why ??= reason;
    kill(child.pid);
  };
  const timer = setTimeout(() => killed(`it took longer than ${timeoutMs / 1000} s`), timeoutMs);
  const onAbort = () => killed('the run was stopped');
  const onExit = () => kill(child.pid);
  signal?.addEventListener('abort', onAbort, { once: true });
  process.once('exit', onExit);
  if (signal?.aborted === true) onAbort();
  // A hook that does not read its message closes the pipe.
  child.stdin.on('error', () => {});
  child.stdin.end(`${JSON.stringify(message)}\n`);
  let left = MOST_LINES;
  const outputs = [child.stdout, child.stderr].map((stream) => {
    const lines = createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY });
    lines.on('line', (line) => {
      if (left > 0) onLine(line.slice(0, MOST_COLUMNS));
      left -= 1;
    });
    return new Promise<void>((resolve) => lines.once('close', resolve));
  });
  try {
    const ended = await new Promise<string | undefined>((resolve) => {
      child.once('error', (error) => resolve(messageOf(error)));
      child.once('exit', (code, by) => resolve(code === 0 ? undefined : by === null ? `it ended with ${code}` : `it was ended by ${by}`));
    });
    let drain: NodeJS.Timeout | undefined;
    const overdue = new Promise<void>((resolve) => {
      drain = setTimeout(resolve, DRAIN_MS);
    });
    await Promise.race([Promise.all(outputs), overdue]);
    clearTimeout(drain);
    return why ?? ended;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
    process.removeListener('exit', onExit);
    for (const stream of [child.stdin, child.stdout, child.stderr]) stream.destroy();
    child.unref();
  }
}

/** The whole group at once: a hook that is in the middle of something has had its time. */
function kill(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended already.
  }
}

/** Bearer tokens of daemons and repositories come by the environment; a hook needs none of them, and what it runs no watch has started. */
function forHooks(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !/^SHARDCTL_(TOKEN|PASSWORD)/.test(name) && name !== STARTED_BY_WATCH));
}
