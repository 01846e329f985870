/**
 * Who may write to a home: one run alone, or several that each work on repositories of their own. Which commands do what, and why runs
 * on repositories do not harm each other: docs/locks.md.
 */
import { drop, type LockFile, type LockOptions, liveFiles, type Meaning, obtain, put } from './lock-files.ts';

export interface Lock {
  /** May be called more than once, also while the process exits. */
  release(): void;
}

/** Longest time for which new runs on repositories give way to a run that waits for the home. */
const PRIORITY_MS = 10 * 60_000;

/** Takes all that a directory of locks stands for: the home. @throws ShardctlError `LOCKED` naming the holder, `IO` or `NO_SPACE` when the lock cannot be written */
export async function acquireLock(dir: string, options: LockOptions): Promise<Lock> {
  const waiting = new Waiting(dir, options);
  try {
    const files = await obtain(dir, options, {
      meanings: () => [{}],
      isRival: ({ holder }) => holder.kind !== 'waiting',
      isBrief: ({ holder }) => holder.kind === 'opening',
      onWait: (others) => waiting.note(others),
    });
    return { release: () => files.forEach(drop) };
  } finally {
    waiting.end();
  }
}

/** A home on which runs on other repositories may work as well. */
export class SharedLock implements Lock {
  readonly #dir: string;
  readonly #options: LockOptions;
  readonly #files: readonly string[];
  readonly #opening: string[];
  /** Files of the repository, of the tasks at hand, and of promises. */
  readonly #held = new Set<string>();
  /** Those of them that are promises. */
  readonly #promised = new Set<string>();

  /**
   * Takes part in a home. Who comes first has it for itself until `share`; who comes while others are at work has nothing to prepare.
   * @throws ShardctlError as `acquireLock`
   */
  static async acquire(dir: string, options: LockOptions): Promise<SharedLock> {
    let isFirst = true;
    const files = await obtain(dir, options, {
      meanings: (others) => {
        isFirst = !others.some(isRun);
        // In this order: whoever sees that this run is there sees, too, that it is about to have the home for itself.
        return isFirst ? [{ kind: 'opening' }, { kind: 'run' }] : [{ kind: 'run' }];
      },
      isRival: ({ holder }) => holder.kind === undefined || holder.kind === 'opening' || isUrgent(holder, options.now()),
      // The others that made this run one of several may all have ended meanwhile; and between its first look and its files another run may
      // have come, have been alone, and share by now.
      isSettled: (others) => isFirst !== others.some(isRun),
      isBrief: ({ holder }) => holder.kind === 'opening',
    });
    return new SharedLock(dir, options, files.slice(-1), files.slice(0, -1));
  }

  private constructor(dir: string, options: LockOptions, files: string[], opening: string[]) {
    this.#dir = dir;
    this.#options = options;
    this.#files = files;
    this.#opening = opening;
  }

  /** Whether nobody else works on the home, nor can begin to before `share`. */
  get isAlone(): boolean {
    return this.#opening.length > 0;
  }

  /** A name that no other run has ever had or will have: that of the file by which others know that this run is alive. */
  get name(): string {
    return nameOf(this.#files[0] ?? '');
  }

  /** Lets others in. */
  share(): void {
    this.#opening.splice(0).forEach(drop);
  }

  /** Runs `work` with the repository for itself. Must not be called within `work`. @throws ShardctlError `LOCKED` */
  async withRepository<T>(name: string, work: () => Promise<T>): Promise<T> {
    this.share();
    const meaning: Meaning = { kind: 'repository', name };
    const isRival = ({ holder }: LockFile) => holder.kind === 'repository' && holder.name === name;
    return await this.#during(await obtain(this.#dir, this.#options, { meanings: () => [meaning], isRival }), work);
  }

  /** Runs `work` when no other run does a task of this name. */
  async withTask<T>(name: string, work: () => Promise<T>): Promise<T> {
    const isRival = (other: LockFile) => isTask(other, name);
    const options = { ...this.#options, waitMs: Number.POSITIVE_INFINITY };
    return await this.#during(await obtain(this.#dir, options, { meanings: () => [{ kind: 'task', name }], isRival }), work);
  }

  /** @returns undefined when another run does a task of this name */
  tryTask(name: string): Lock | undefined {
    const file = put(this.#dir, this.#options, { kind: 'task', name });
    const release = () => drop(file);
    if (!liveFiles(this.#dir, this.#options.processes, [file]).some((other) => isTask(other, name))) return { release };
    release();
    return undefined;
  }

  /** Tells others of bytes that this run is about to put on a peer (`promised-space.ts`). */
  promise(peer: string, bytes: number): Lock {
    const file = put(this.#dir, this.#options, { kind: 'promise', name: peer, bytes });
    this.#held.add(file);
    this.#promised.add(file);
    return {
      release: () => {
        drop(file);
        this.#held.delete(file);
        this.#promised.delete(file);
      },
    };
  }

  /** What the other runs that live are about to put on a peer, with the name of the file of each. */
  promisesOf(peer: string): { readonly file: string; readonly bytes: number }[] {
    return liveFiles(this.#dir, this.#options.processes, [...this.#promised]).flatMap(({ file, holder }) =>
      holder.kind === 'promise' && holder.name === peer ? [{ file, bytes: holder.bytes }] : [],
    );
  }

  async #during<T>(files: readonly string[], work: () => Promise<T>): Promise<T> {
    for (const file of files) this.#held.add(file);
    try {
      return await work();
    } finally {
      for (const file of files) {
        drop(file);
        this.#held.delete(file);
      }
    }
  }

  release(): void {
    // The first file is the last to go: while it is there, nobody has the home.
    for (const file of [...this.#held, ...this.#opening.splice(0), ...this.#files]) drop(file);
  }
}

/** Names of the runs on repositories that are alive, as `SharedLock.name` gives them. */
export function nameOf(file: string): string {
  return file.slice(file.lastIndexOf('/') + 1, -'.json'.length);
}

function isTask({ holder }: LockFile, name: string): boolean {
  return holder.kind === 'task' && holder.name === name;
}

function isRun({ holder }: LockFile): boolean {
  return holder.kind === 'run';
}

function isUrgent(meaning: Meaning, now: number): boolean {
  return meaning.kind === 'waiting' && isAhead(Date.parse(meaning.until), now);
}

/** Whether priority until then still counts. What is further off than it can be was written before the clock was set back. */
function isAhead(until: number, now: number): boolean {
  return until > now && until - now <= PRIORITY_MS;
}

/**
 * The notice by which a run that waits for the home is not passed for ever. As long as a run is there that was before it, others do not
 * make it wait any longer, and may come. When the last of these is gone, new ones give way for ten minutes, in which short runs end. If a
 * long one is among them, all that are there now count as having been there before, and it begins anew.
 */
class Waiting {
  readonly #dir: string;
  readonly #options: LockOptions;
  #before: ReadonlySet<string> | undefined;
  #until = 0;
  #file: string | undefined;

  constructor(dir: string, options: LockOptions) {
    this.#dir = dir;
    this.#options = options;
  }

  note(others: readonly LockFile[]): void {
    const now = this.#options.now();
    const runs = others.filter(isRun).map(({ file }) => file);
    if (this.#file !== undefined && isAhead(this.#until, now)) return;
    this.end();
    // None yet, or not all of those that came while others had to give way are gone.
    if (this.#before === undefined || this.#until > 0) {
      this.#before = new Set(runs);
      this.#until = 0;
      return;
    }
    if (runs.length === 0 || runs.some((file) => this.#before?.has(file))) return;
    this.#until = now + PRIORITY_MS;
    this.#file = put(this.#dir, this.#options, { kind: 'waiting', until: new Date(this.#until).toISOString() });
  }

  end(): void {
    if (this.#file !== undefined) drop(this.#file);
    this.#file = undefined;
  }
}
