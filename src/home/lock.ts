/**
 * One writing run per home.
 *
 * Each run that wants the home puts a file with a unique name into the lock directory, and then looks whether there are others. Of two
 * runs, the one that looks later sees the file of the other: both may give way, but never do both go on. Because no name is used twice,
 * any run may delete the file of a dead one at any time. With one lock file for all this would be unsafe: a slow run that takes over a
 * dead lock could delete the lock that a faster run has just made in its place.
 */
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeDirectories } from '../core/durable-files.ts';
import { errnoOf, ioError, ShardctlError } from '../core/errors.ts';

/** Tells a process from all others: a pid alone is soon used again. */
export interface ProcessIdentity {
  readonly pid: number;
  readonly host: string;
  /** Boot and pid namespace: only pids of the same scope can be compared. Empty where the system cannot tell. */
  readonly scope: string;
  /** When the process began, in the system's own words. Empty where the system cannot tell. */
  readonly started: string;
}

/** What the lock asks the system about processes. */
export interface ProcessTable {
  self(): ProcessIdentity;
  /** Start of a process of this scope, as in `ProcessIdentity`; undefined when there is none. */
  startedOf(pid: number): string | undefined;
  /** Whether no process of a scope can be running, because it belongs to an earlier boot of this machine. */
  isPast(scope: string): boolean;
}

export interface Holder extends ProcessIdentity {
  readonly command: string;
  /** RFC 3339. */
  readonly at: string;
}

interface Found {
  readonly file: string;
  readonly holder: Holder;
}

export interface LockOptions {
  /** Shown to whoever finds the home locked. */
  readonly command: string;
  /** How long to wait for another run, in milliseconds. */
  readonly waitMs: number;
  readonly processes: ProcessTable;
  readonly now: () => number;
  readonly signal?: AbortSignal;
}

export interface Lock {
  /** May be called more than once, also while the process exits. */
  release(): void;
}

const POLL_MS = 200;
/** Names as `claim` makes them; other files are left alone. */
const LOCK = /^\d+-[0-9a-f]+\.json$/;
/** Two runs that start in the same instant see each other and both give way; after a few tries with random pauses one is first. */
const TIE_TRIES = 8;

/** @throws ShardctlError `LOCKED` naming the holder, `IO` or `NO_SPACE` when the lock cannot be written */
export async function acquireLock(dir: string, options: LockOptions): Promise<Lock> {
  const deadline = options.now() + options.waitMs;
  let tieTries = TIE_TRIES;
  for (;;) {
    let rival = liveHolder(dir, options.processes);
    let tied = false;
    if (rival === undefined) {
      const own = claim(dir, options);
      rival = liveHolder(dir, options.processes, own);
      if (rival === undefined) return { release: () => rmSync(join(dir, own), { force: true }) };
      rmSync(join(dir, own), { force: true });
      tied = tieTries > 0;
      tieTries -= 1;
    }
    if (!tied && options.now() >= deadline) throw lockedError(rival, options.processes.self());
    await sleep(tied ? Math.random() * POLL_MS : POLL_MS);
    options.signal?.throwIfAborted();
  }
}

function claim(dir: string, options: LockOptions): string {
  const self = options.processes.self();
  const holder: Holder = { ...self, command: options.command, at: new Date(options.now()).toISOString() };
  const name = `${self.pid}-${randomBytes(6).toString('hex')}.json`;
  const file = join(dir, name);
  try {
    makeDirectories(dir);
    // Written under another name and renamed, so that no other run ever reads half a lock.
    writeFileSync(`${file}.new`, `${JSON.stringify(holder)}\n`);
    renameSync(`${file}.new`, file);
  } catch (error) {
    throw ioError(error, 'locking the home', dir);
  }
  return name;
}

/** The lock of a run, other than `own`, that is still going on. Deletes the locks of dead runs. */
function liveHolder(dir: string, processes: ProcessTable, own?: string): Found | undefined {
  for (const name of names(dir)) {
    if (name === own || !LOCK.test(name)) continue;
    const file = join(dir, name);
    const holder = readHolder(file);
    if (holder === 'gone') continue;
    if (holder !== 'torn' && isAlive(holder, processes)) return { file, holder };
    rmSync(file, { force: true });
  }
  return undefined;
}

function names(dir: string): string[] {
  try {
    return readdirSync(dir).sort();
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw ioError(error, 'looking for other runs', dir);
  }
}

/** `torn`: a lock that cannot be read. Only a power cut leaves one, and the run that held it has died with that. */
function readHolder(file: string): Holder | 'gone' | 'torn' {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return 'gone';
    throw ioError(error, 'reading the lock of another run', file);
  }
  try {
    const holder = JSON.parse(text) as Partial<Holder> | null;
    if (typeof holder?.pid !== 'number' || typeof holder.host !== 'string') return 'torn';
    return { scope: '', started: '', command: 'shardctl', at: 'an unknown time', ...holder } as Holder;
  } catch {
    return 'torn';
  }
}

/** Whether the process of a holder runs, as far as that can be told from here. */
export function isAlive(holder: Holder, processes: ProcessTable): boolean {
  const self = processes.self();
  // On another machine, or in a container with pids of its own, the process cannot be looked up: it counts as running.
  if (holder.host !== self.host) return true;
  if (holder.scope !== self.scope) return !processes.isPast(holder.scope);
  const started = processes.startedOf(holder.pid);
  return started !== undefined && started === holder.started;
}

function lockedError(found: Found, self: ProcessIdentity): ShardctlError {
  const { holder, file } = found;
  const here = holder.host === self.host && holder.scope === self.scope;
  const where = here ? '' : ` on ${holder.host === self.host ? 'another container or boot of ' : ''}host ${holder.host}`;
  return new ShardctlError('LOCKED', `locked by \`${holder.command}\`, pid ${holder.pid}${where}, since ${holder.at} (${dirname(file)})`, {
    retryable: true,
    hint: here
      ? 'wait for it, or let this run wait with --lock-wait SECONDS'
      : `wait for it; if nothing runs there any more, delete ${file}`,
  });
}
