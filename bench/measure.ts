/** Runs one command as a user would and says what it cost. */
import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, rmSync } from 'node:fs';

export interface Command {
  readonly argv: readonly [string, ...string[]];
  readonly env?: Readonly<Record<string, string>>;
}

/** Cost of one run of a whole process, from start to exit. */
export interface Cost {
  readonly seconds: number;
  readonly userSeconds: number;
  readonly systemSeconds: number;
  /** Most memory that was resident at once. */
  readonly peakRssBytes: number;
}

/**
 * GNU time asks the kernel for the process's own accounts, which is exact. Node cannot: its `resourceUsage` is of the
 * caller only. Without GNU time the accounts are read from /proc while the process runs, and its last moments are missed.
 */
const GNU_TIME = '/usr/bin/time';
const POLL_MS = 20;

/**
 * @param log file for all output of the command
 * @throws Error with the end of that output when the command fails
 */
export async function measure(command: Command, log: string, signal: AbortSignal): Promise<Cost> {
  signal.throwIfAborted();
  const accounts = `${log}.time`;
  const timed = existsSync(GNU_TIME);
  const [file, ...args] = timed ? [GNU_TIME, '-q', '-o', accounts, '-f', '%U %S %M', '--', ...command.argv] : command.argv;
  const output = openSync(log, 'w');
  const start = performance.now();
  // A process group of its own: an abort must reach the command behind GNU time, too.
  const child = spawn(file as string, args, { env: { ...process.env, ...command.env }, stdio: ['ignore', output, output], detached: true });
  closeSync(output);
  const stop = () => child.pid !== undefined && process.kill(-child.pid, 'SIGTERM');
  signal.addEventListener('abort', stop, { once: true });
  let seen = { userSeconds: 0, systemSeconds: 0, peakRssBytes: 0 };
  const poll = timed ? undefined : setInterval(() => (seen = accountsOf(child.pid) ?? seen), POLL_MS);
  const code = await new Promise<number | NodeJS.Signals | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (exitCode, killed) => resolve(exitCode ?? killed));
  }).finally(() => {
    clearInterval(poll);
    signal.removeEventListener('abort', stop);
  });
  const seconds = (performance.now() - start) / 1000;
  signal.throwIfAborted();
  if (code !== 0) throw new Error(`${command.argv.join(' ')} ended with ${code}:\n${readFileSync(log, 'utf8').slice(-2000)}`);
  return { seconds, ...(timed ? parseGnuTime(accounts) : seen) };
}

function parseGnuTime(path: string): Omit<Cost, 'seconds'> {
  const [user, system, kibibytes] = readFileSync(path, 'utf8').trim().split(' ').map(Number) as [number, number, number];
  rmSync(path);
  return { userSeconds: user, systemSeconds: system, peakRssBytes: kibibytes * 1024 };
}

/** Accounts of a process that is running, all its threads together; undefined when it is gone. */
function accountsOf(pid: number | undefined): Omit<Cost, 'seconds'> | undefined {
  try {
    const peak = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    // Fields 14 and 15 of proc(5), counted after the command's name, which may hold spaces; in ticks of 10 ms.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ');
    if (peak === undefined || fields === undefined) return undefined;
    return { userSeconds: Number(fields[11]) / 100, systemSeconds: Number(fields[12]) / 100, peakRssBytes: Number(peak) * 1024 };
  } catch {
    return undefined;
  }
}
