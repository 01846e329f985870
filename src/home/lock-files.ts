/**
 * The files by which runs tell each other what they hold, in one directory.
 *
 * Whoever wants something puts a file with a unique name there, and then looks at the others. Of two that want what does not go together,
 * the one that looks later sees the file of the other: both may give way, but never do both go on. Because no name is used twice, anybody
 * may delete the file of a dead process at any time. With one lock file for all this would be unsafe: a slow run that takes over a dead
 * lock could delete the lock that a faster run has just made in its place. And because no file is ever changed, nobody who lists the
 * directory meanwhile can miss one.
 */
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { displayText } from '../core/display.ts';
import { makeDirectories } from '../core/durable-files.ts';
import { errnoOf, ioError, ShardctlError } from '../core/errors.ts';
import { removeFileSync } from '../core/remove-file.ts';

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

/**
 * What a file stands for. None at all: everything, as in the files of versions that know no other kind.
 *
 *   run         some repositories, of which each has a file of its own
 *   opening     everything, for a moment, by a run that holds a `run`, too
 *   repository  one repository
 *   waiting     nothing yet; until `until`, a time, new runs on repositories give way
 *   task        what `name` says
 *   promise     `bytes` that the run is about to put on the peer `name`
 */
export type Meaning =
  | { readonly kind?: undefined }
  | { readonly kind: 'run' | 'opening' }
  | { readonly kind: 'repository' | 'task'; readonly name: string }
  | { readonly kind: 'promise'; readonly name: string; readonly bytes: number }
  | { readonly kind: 'waiting'; readonly until: string };

export interface LockFile {
  /** Path. */
  readonly file: string;
  readonly holder: Holder & Meaning;
}

export interface LockOptions {
  /** Shown to whoever finds the home locked. */
  readonly command: string;
  /** How long to wait for another run, in milliseconds. */
  readonly waitMs: number;
  readonly processes: ProcessTable;
  readonly now: () => number;
  readonly signal?: AbortSignal;
  /** What is locked, in messages. [the home] */
  readonly what?: string;
  /** How a path is told to people. [as it is] */
  readonly shown?: (path: string) => string;
}

/** What is wanted, and what is in its way. */
export interface Wish {
  /** The files that are put, given those of the others; undefined to look again. */
  readonly meanings: (others: readonly LockFile[]) => readonly Meaning[];
  readonly isRival: (other: LockFile) => boolean;
  /** Whether what was put goes with what is there now. [yes] */
  readonly isSettled?: (others: readonly LockFile[]) => boolean;
  /** A rival that is waited for in any case: it is soon gone. [none] */
  readonly isBrief?: (other: LockFile) => boolean;
  /** Called before each pause. */
  readonly onWait?: (others: readonly LockFile[]) => void;
}

const POLL_MS = 200;
const BRIEF_POLL_MS = 20;
/** Names as `put` makes them; other files are left alone. */
const LOCK = /^\d+-[0-9a-f]+\.json(?:\.new)?$/;
/** Two runs that start in the same instant see each other and both give way; after a few tries with random pauses one is first. */
const TIE_TRIES = 8;

/** @param own files of this run that are there already @returns paths of the files that were put @throws ShardctlError `LOCKED` naming the holder, `IO` or `NO_SPACE` when they cannot be written */
export async function obtain(dir: string, options: LockOptions, wish: Wish, own: readonly string[] = []): Promise<string[]> {
  const deadline = options.now() + options.waitMs;
  const { isSettled = () => true, isBrief = () => false } = wish;
  let tieTries = TIE_TRIES;
  for (;;) {
    let others = liveFiles(dir, options.processes, own);
    let rival = rivalAmong(others, wish);
    let tied = false;
    if (rival === undefined) {
      const files: string[] = [];
      for (const meaning of wish.meanings(others)) files.push(put(dir, options, meaning));
      others = liveFiles(dir, options.processes, [...own, ...files]);
      rival = rivalAmong(others, wish);
      if (rival === undefined && isSettled(others)) return files;
      files.forEach(drop);
      tied = rival === undefined || tieTries > 0;
      tieTries -= 1;
    }
    const brief = rival !== undefined && isBrief(rival);
    if (rival !== undefined && !tied && !brief && options.now() >= deadline) throw lockedError(rival, options);
    wish.onWait?.(others);
    await sleep(tied ? Math.random() * POLL_MS : brief ? BRIEF_POLL_MS : POLL_MS);
    options.signal?.throwIfAborted();
  }
}

/** Of a run on repositories, the file that says which one it works on is the one to be told of. */
function rivalAmong(others: readonly LockFile[], { isRival }: Wish): LockFile | undefined {
  const rivals = others.filter(isRival);
  return rivals.find(({ holder }) => holder.kind === 'repository') ?? rivals[0];
}

/** Puts a file. @returns its path @throws ShardctlError `IO`, `NO_SPACE` */
export function put(dir: string, options: LockOptions, meaning: Meaning): string {
  const self = options.processes.self();
  const holder: Holder & Meaning = { ...self, command: options.command, at: new Date(options.now()).toISOString(), ...meaning };
  const file = join(dir, `${self.pid}-${randomBytes(6).toString('hex')}.json`);
  try {
    makeDirectories(dir);
    // Written under another name and renamed, so that no other run ever reads half a lock.
    writeFileSync(`${file}.new`, `${JSON.stringify(holder)}\n`);
    renameSync(`${file}.new`, file);
  } catch (error) {
    throw ioError(error, `locking ${options.what ?? 'the home'}`, (options.shown ?? String)(dir));
  }
  return file;
}

/** May be called more than once, also while the process exits. */
export function drop(file: string): void {
  removeFileSync(file);
}

/** The files, other than `own`, of processes that still run. Deletes those of dead ones. */
export function liveFiles(dir: string, processes: ProcessTable, own: readonly string[]): LockFile[] {
  const live: LockFile[] = [];
  for (const name of names(dir)) {
    const file = join(dir, name);
    if (own.includes(file) || !LOCK.test(name)) continue;
    const holder = readHolder(file);
    if (holder === 'gone') continue;
    // Its run has not put it yet, or has died in that moment; who cannot be told may still be writing it.
    if (name.endsWith('.new') && (holder === 'torn' || isAlive(holder, processes))) continue;
    if (holder !== 'torn' && isAlive(holder, processes)) live.push({ file, holder });
    else drop(file);
  }
  return live;
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
function readHolder(file: string): LockFile['holder'] | 'gone' | 'torn' {
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
    return { scope: '', started: '', command: 'shardctl', at: 'an unknown time', ...holder } as LockFile['holder'];
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

function lockedError({ holder, file: path }: LockFile, options: LockOptions): ShardctlError {
  const self = options.processes.self();
  const file = (options.shown ?? String)(path);
  const here = holder.host === self.host && holder.scope === self.scope;
  const where = here ? '' : ` on ${holder.host === self.host ? 'another container or boot of ' : ''}host ${holder.host}`;
  const by = `\`${holder.command}\`, pid ${holder.pid}${where}, since ${holder.at} (${dirname(file)})`;
  return new ShardctlError('LOCKED', `${beginning(holder)} ${by}`, {
    retryable: true,
    hint: here
      ? 'wait for it, or let this run wait with --lock-wait SECONDS'
      : `wait for it; if nothing runs there any more, delete ${file}`,
  });
}

function beginning(meaning: Meaning): string {
  if (meaning.kind === 'repository') return `repository ${displayText(meaning.name)} is locked by`;
  return meaning.kind === 'waiting' ? 'the next turn is that of' : 'locked by';
}
