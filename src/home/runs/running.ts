/**
 * `runs/now/PID-HEX.json`: how far a run has come, for `status` and `serve`. A run that takes longer than a second writes its file at most
 * once a second, under another name first, so that nobody reads half of one, and removes it at its end. After a `kill -9` the file stays:
 * whoever reads it looks whether its process is still there, and the next run that writes such a file removes it.
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../../core/errors.ts';
import { removeFileSync } from '../../core/remove-file.ts';
import type { HomePaths } from '../home.ts';
import { type Holder, isAlive, type ProcessTable } from '../lock-files.ts';

/** How far a run has come. What it does not do has no count. */
export interface RunState {
  /** Words of the command, such as `update` or `peers drain`. */
  readonly words: string;
  /** The repository that it is at, where it is at one. */
  readonly repository?: string;
  /** What the source has, as far as it was listed; `done` when that is all. */
  readonly scanned?: { readonly files: number; readonly bytes: number; readonly done: boolean };
  /** What was taken care of: imported, or found unchanged. */
  readonly imported?: { readonly files: number; readonly bytes: number };
  /** Shards that were filled, and those of them that are on their peers. */
  readonly sealed: number;
  readonly placed: number;
  /** Bytes of those that are placed: a large file counts as imported only at its end. */
  readonly placedBytes: number;
  /** Of commands that count something else. `total` is 0 where nobody knows it. */
  readonly step?: { readonly label: string; readonly done: number; readonly total: number; readonly bytes: number };
  /** Findings, warnings and entries that could not be taken, so far. */
  readonly problems: number;
}

export interface RunningRun extends Holder {
  /** Milliseconds since 1970: when it last told how far it is. */
  readonly updated: number;
  /** Absent as long as the run is younger than a second, and when it could not write into the home. */
  readonly state?: RunState;
}

/** Names as `RunFile` makes them. */
const RUN_FILE = /^\d+-[0-9a-f]+\.json$/;
/** A process of another machine or container cannot be looked up: it counts as running while its file is younger than this. */
const SILENT_MS = 60_000;

/** The file of this run. No call throws for what the file system says: a run does not fail because nobody can watch it. */
export class RunFile {
  readonly #dir: string;
  readonly #holder: Holder;
  readonly #processes: ProcessTable;
  readonly #name: string;
  #isThere = false;

  constructor(dir: string, holder: Holder, processes: ProcessTable) {
    this.#dir = dir;
    this.#holder = holder;
    this.#processes = processes;
    this.#name = `${holder.pid}-${randomBytes(6).toString('hex')}.json`;
  }

  write(state: RunState): void {
    const path = join(this.#dir, this.#name);
    try {
      if (!this.#isThere) this.#prepare();
      writeFileSync(`${path}.new`, `${JSON.stringify({ ...this.#holder, state })}\n`);
      renameSync(`${path}.new`, path);
      this.#isThere = true;
    } catch {
      drop(`${path}.new`);
    }
  }

  /** May be called while the process exits, and more than once. */
  remove(): void {
    if (this.#isThere) drop(join(this.#dir, this.#name));
  }

  #prepare(): void {
    mkdirSync(this.#dir, { recursive: true });
    for (const name of readdirSync(this.#dir)) {
      const found = readRun(this.#dir, name.replace(/\.new$/, ''));
      if (found !== undefined && !isRunning(found, this.#processes, found.updated)) removeFileSync(join(this.#dir, name));
    }
  }
}

/** A file that stays is found to be of a dead process later. */
function drop(path: string): void {
  try {
    removeFileSync(path);
  } catch {}
}

/**
 * The runs of a home that go on now, the oldest first: those that have told how far they are, and whoever holds the lock.
 * @param now milliseconds since 1970
 */
export function runningRuns({ locks, running }: Pick<HomePaths, 'locks' | 'running'>, processes: ProcessTable, now: number): RunningRun[] {
  const told = readRuns(running).filter((run) => isRunning(run, processes, now));
  const pids = new Set(told.map(({ pid, host }) => `${pid} ${host}`));
  const holding = readRuns(locks).filter((run) => {
    const process = `${run.pid} ${run.host}`;
    if (pids.has(process) || !isAlive(run, processes)) return false;
    // A run may have several files there.
    pids.add(process);
    return true;
  });
  return [...told, ...holding].sort((a, b) => (a.at < b.at ? -1 : 1));
}

function isRunning(run: RunningRun, processes: ProcessTable, now: number): boolean {
  const self = processes.self();
  if (run.host !== self.host || run.scope !== self.scope) return now - run.updated < SILENT_MS && !processes.isPast(run.scope);
  return isAlive(run, processes);
}

function readRuns(dir: string): RunningRun[] {
  let names: string[];
  try {
    names = readdirSync(dir);
  } catch {
    return [];
  }
  return names.flatMap((name) => readRun(dir, name) ?? []);
}

/** Undefined when it is gone, or not what a run writes. */
function readRun(dir: string, name: string): RunningRun | undefined {
  if (!RUN_FILE.test(name)) return undefined;
  const path = join(dir, name);
  try {
    const run = JSON.parse(readFileSync(path, 'utf8')) as Partial<RunningRun> | null;
    if (typeof run?.pid !== 'number' || typeof run.host !== 'string' || typeof run.command !== 'string') return undefined;
    const { pid, host, scope = '', started = '', command, at = '', state } = run;
    const known = { pid, host, scope, started, command, at, updated: statSync(path).mtimeMs };
    return isState(state) ? { ...known, state } : known;
  } catch (error) {
    if (error instanceof SyntaxError || errnoOf(error) !== undefined) return undefined;
    throw error;
  }
}

function isState(state: Partial<RunState> | undefined): state is RunState {
  return typeof state?.words === 'string' && typeof state.sealed === 'number' && typeof state.placed === 'number';
}
