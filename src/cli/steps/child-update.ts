/**
 * Runs `shardctl update` in a process of its own: for a program that goes on for months, its memory and its locks are gone when it ends,
 * and what it does, says and calls is what it does under cron.
 */
import { spawn } from 'node:child_process';
import process from 'node:process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { EXIT, ShardctlError } from '../../core/errors.ts';
import { COMMON } from '../command-line/command-spec.ts';
import type { Context } from '../command-line/context.ts';
import { withoutOptions } from '../command-line/environment.ts';
import { OPTIONS, type OptionName, type OptionSpec } from '../command-line/options.ts';

/** @param options those of the command line that the update takes, too. @returns words of a command line */
export function updateWords(
  { args, home }: Pick<Context, 'args' | 'home'>,
  repository: string,
  options: readonly OptionName[],
  list: Buffer | undefined,
): string[] {
  const at = args.text('home') === undefined ? [] : [`--home=${home.dir}`];
  const passed = [...options, ...COMMON.filter((name) => name !== 'home')].flatMap((name) => {
    if ((OPTIONS[name] as OptionSpec).value === undefined) return args.flag(name) ? [`--${name}`] : [];
    return args.all(name).map(({ value }) => `--${name}=${value}`);
  });
  return ['update', repository, ...at, ...passed, ...(list === undefined ? [] : ['--files-from=-'])];
}

/**
 * @param list what it reads from its stdin
 * @returns its exit code @throws the signal's reason when it was stopped by that
 */
export async function runUpdate(
  { json, output, signal }: Pick<Context, 'json' | 'output' | 'signal'>,
  words: readonly string[],
  list: Buffer | undefined,
): Promise<number> {
  signal.throwIfAborted();
  const child = spawn(process.execPath, [...process.execArgv, process.argv[1] as string, ...words], {
    // A session of its own: a Ctrl-C goes to all processes of a terminal's, and the second signal would end it at once.
    detached: true,
    // The options that the environment says are among its words, as far as the command that starts it takes them.
    env: withoutOptions(process.env),
    stdio: [list === undefined ? 'ignore' : 'pipe', json ? 'pipe' : 'inherit', 'inherit'],
  });
  const stop = () => void child.kill(isInterrupted(signal.reason) ? 'SIGINT' : 'SIGTERM');
  signal.addEventListener('abort', stop, { once: true });
  process.once('exit', stop);
  // One that ends before it has read the list says why.
  child.stdin?.on('error', () => {});
  child.stdin?.end(list);
  const code = new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? EXIT.bug));
  });
  try {
    const [ended] = await Promise.all([code, child.stdout && passOn(child.stdout, (event) => output.json(event))]);
    signal.throwIfAborted();
    return ended;
  } finally {
    signal.removeEventListener('abort', stop);
    process.removeListener('exit', stop);
  }
}

/** Its last line is about itself: what it says is an event of the watch. One that was killed may have written half a line. */
export async function passOn(stdout: Readable, show: (event: unknown) => void): Promise<void> {
  for await (const line of createInterface({ input: stdout })) {
    const event = eventIn(line);
    if (event !== undefined && event.type !== 'exit') show(event);
  }
}

function eventIn(line: string): { readonly type?: unknown } | undefined {
  try {
    return JSON.parse(line) as { readonly type?: unknown };
  } catch {
    return undefined;
  }
}

function isInterrupted(reason: unknown): boolean {
  return reason instanceof ShardctlError && reason.code === 'INTERRUPTED';
}
