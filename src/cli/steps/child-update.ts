/**
 * Runs `shardctl update` in a process of its own: for a program that goes on for months, its memory and its locks are gone when it ends,
 * and what it does, says and calls is what it does under cron.
 */
import { spawn } from 'node:child_process';
import process from 'node:process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { EXIT, ShardctlError } from '../../core/errors.ts';
import type { Args } from '../command-line/args.ts';
import { COMMON } from '../command-line/command-spec.ts';
import type { Context } from '../command-line/context.ts';
import { STARTED_BY_WATCH, withoutOptions } from '../command-line/environment.ts';
import { OPTIONS, type OptionName, type OptionSpec } from '../command-line/options.ts';

/** How an update is told what it is to do. */
export interface UpdateCall {
  /** Of a command line. */
  readonly words: readonly string[];
  readonly environment: NodeJS.ProcessEnv;
}

/**
 * What was typed is typed again, and what a variable says is said by that variable: the two differ in what is refused, and in what is
 * remembered. Variables of options that the command which starts it does not hand on are left out.
 * @param options that the update takes, too
 * @param environment of the command that starts it
 */
export function updateCall(
  { args, home }: Pick<Context, 'args' | 'home'>,
  repository: string,
  options: readonly OptionName[],
  list: Buffer | undefined,
  environment: NodeJS.ProcessEnv,
): UpdateCall {
  const at = args.text('home') === undefined ? [] : [`--home=${home.dir}`];
  const handedOn = [...options, ...COMMON.filter((name) => name !== 'home')];
  const typed = handedOn.filter((name) => args.isTyped(name)).flatMap((name) => typedAgain(args, name));
  const said = args.fromVariables.filter(({ name }) => handedOn.includes(name)).map(({ variable }) => [variable, environment[variable]]);
  return {
    words: ['update', repository, ...at, ...typed, ...(list === undefined ? [] : ['--files-from=-'])],
    environment: { ...withoutOptions(environment), ...Object.fromEntries(said) },
  };
}

function typedAgain(args: Args, name: OptionName): string[] {
  if ((OPTIONS[name] as OptionSpec).value === undefined) return [`--${name}`];
  return args.all(name).map(({ value }) => `--${name}=${value}`);
}

/**
 * @param list what it reads from its stdin
 * @returns its exit code @throws the signal's reason when it was stopped by that
 */
export async function runUpdate(
  { json, output, signal }: Pick<Context, 'json' | 'output' | 'signal'>,
  { words, environment }: UpdateCall,
  list: Buffer | undefined,
): Promise<number> {
  signal.throwIfAborted();
  const child = spawn(process.execPath, [...process.execArgv, process.argv[1] as string, ...words], {
    // A session of its own: a Ctrl-C goes to all processes of a terminal's, and the second signal would end it at once.
    detached: true,
    env: { ...environment, [STARTED_BY_WATCH]: '1' },
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
