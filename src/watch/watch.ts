/**
 * Brings the copy of one source up to date as it changes, until it is stopped: first by a look at everything, then by updates that are
 * told what has changed. What changes while an update runs is kept for the next one.
 */
import { EXIT } from '../core/errors.ts';
import type { Emit } from '../core/events.ts';
import type { ByteString } from '../core/model.ts';
import { statSource } from '../source/source.ts';
import { type Deafness, wordsOf } from './deafness.ts';
import type { EventDesk } from './event-desk.ts';
import { Listening } from './listening.ts';
import { type Due, type Outcome, type Pace, Schedule } from './schedule.ts';
import { SyncSigns } from './sync-signs.ts';

/** What is watched, as the index knows it now. */
export interface WatchedSource {
  /** Absolute path. */
  readonly source: ByteString;
  readonly filters: readonly ByteString[];
  /** Symlinks are followed: nobody can tell which of them lead to what has changed. */
  readonly copyLinks: boolean;
}

export interface WatchOptions extends Pace {
  readonly repository: string;
  /** @returns undefined when the repository is not there, or has no source: the update says so */
  readonly known: () => Promise<WatchedSource | undefined>;
  /** Undefined where the system has no inotify. */
  readonly desk: EventDesk | undefined;
  /** Absolute paths: while one of them is there, a sync is under way. */
  readonly syncLocks: readonly string[];
  /** Runs an update. @param list what has changed, for `--files-from`; undefined: everything is looked at @returns its exit code */
  readonly update: (list: Buffer | undefined) => Promise<number>;
  readonly emit: Emit;
  readonly signal: AbortSignal;
  /** @param reload is called when everything is to be looked at now */
  readonly onReload: (reload: () => void) => void;
}

/** A source that is not there is looked for again after so long. */
const MISSING_MS = 60_000;
/** A longer timer of Node's would end at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Resolves when it is stopped while it waits. @throws the signal's reason when it is stopped while an update runs */
export async function watchSource(options: WatchOptions): Promise<void> {
  await new SourceWatch(options).run();
}

class SourceWatch {
  readonly #options: WatchOptions;
  readonly #schedule: Schedule;
  readonly #signs: SyncSigns;
  #known: WatchedSource | undefined;
  /** Undefined as long as nothing is heard of the source. */
  #listening: Listening | undefined;
  /** Why not, as it was told. */
  #deafness: Deafness | undefined;
  #isMissing = false;
  #wakesAt = Number.NEGATIVE_INFINITY;
  #wake = () => {};

  constructor(options: WatchOptions) {
    this.#options = options;
    this.#schedule = new Schedule(options, performance.now());
    this.#signs = new SyncSigns(options.syncLocks);
    options.onReload(() => {
      this.#schedule.ask();
      this.#wake();
    });
    options.signal.addEventListener('abort', () => this.#wake(), { once: true });
  }

  async run(): Promise<void> {
    const { signal, known } = this.#options;
    // A sync may be under way already.
    this.#known = await known();
    try {
      for (let due = await this.#due(); due !== undefined; due = await this.#due()) {
        if (due === 'full') await this.#listenAnew();
        else await this.#listening?.complete();
        if (signal.aborted) return;
        if (due === 'told' && (await this.#isDoubtful())) this.#schedule.doubt(performance.now());
        else if (due === 'full' && this.#isStillMissing()) this.#schedule.block(performance.now(), MISSING_MS);
        else await this.#update(due);
      }
    } finally {
      await this.#listening?.end();
    }
  }

  /** Waits until an update is due. @returns undefined when the watch is to end */
  async #due(): Promise<Due | undefined> {
    while (!this.#options.signal.aborted) {
      const now = performance.now();
      const due = this.#schedule.due(now);
      if (due !== undefined && (this.#schedule.isOverdue(now) || !this.#signs.areThere(this.#known?.source))) return due;
      if (due !== undefined) this.#schedule.hold(now);
      await this.#sleepUntil(this.#schedule.next(now), now);
    }
    return undefined;
  }

  /** Or until `#wake`. */
  async #sleepUntil(moment: number, now: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      this.#wakesAt = moment;
      if (this.#options.signal.aborted) resolve();
      else if (moment !== Number.POSITIVE_INFINITY) timer = setTimeout(resolve, Math.min(moment - now, LONGEST_TIMER_MS));
    });
    clearTimeout(timer);
  }

  #heard(): void {
    const now = performance.now();
    this.#schedule.changed(now);
    if (this.#listening?.doubt !== undefined) this.#schedule.doubt(now);
    // Mostly it wakes soon enough, and looks then when the last change was.
    if (this.#schedule.next(now) < this.#wakesAt) this.#wake();
  }

  /** Before a look at everything: all directories are watched anew, so that nothing that was missed is missed for good. */
  async #listenAnew(): Promise<void> {
    await this.#listening?.end();
    this.#listening = undefined;
    this.#known = await this.#options.known();
    const { repository, emit, everyMs } = this.#options;
    const reason = this.#known === undefined ? undefined : await this.#listen(this.#known);
    // The type is for the checker, which takes it for undefined still.
    const listening = this.#listening as Listening | undefined;
    if (listening !== undefined) emit({ type: 'watching', repository, directories: listening.count });
    if (reason !== undefined && reason !== this.#deafness) {
      emit({ type: 'not-watching', repository, ...wordsOf(reason, everyMs) });
    }
    this.#deafness = reason;
  }

  /** @returns why nothing can be heard of the source; undefined also where it is not there */
  async #listen({ source, filters }: WatchedSource): Promise<Deafness | undefined> {
    const { desk, signal } = this.#options;
    if (desk === undefined) return 'system';
    if (!isThere(source)) return undefined;
    const onCame = this.#signs.came.bind(this.#signs);
    const listening = Listening.begin({ source, filters, desk, onCame, onHeard: () => this.#heard(), signal });
    if (listening === 'EMFILE' || listening === 'ENFILE' || listening === 'ENOMEM') return 'instances';
    if (typeof listening === 'string') return 'system';
    await listening.complete();
    const { doubt } = listening;
    if (doubt !== 'limit' && doubt !== 'remote') {
      this.#listening = listening;
      return undefined;
    }
    await listening.end();
    return doubt;
  }

  /** Whether a list of what has changed would not do. */
  async #isDoubtful(): Promise<boolean> {
    if (this.#listening?.canTell !== true || !this.#listening.isAtItsPlace() || this.#known?.copyLinks === true) return true;
    return JSON.stringify(await this.#options.known()) !== JSON.stringify(this.#known);
  }

  /** A source that is not there is reported once, by an update that fails. */
  #isStillMissing(): boolean {
    const wasMissing = this.#isMissing;
    this.#isMissing = this.#known !== undefined && !isThere(this.#known.source);
    return wasMissing && this.#isMissing;
  }

  async #update(due: Due): Promise<void> {
    const { repository, emit, update } = this.#options;
    const changes = this.#listening?.take();
    this.#signs.forget();
    this.#schedule.began(performance.now(), due, this.#listening === undefined);
    if (this.#listening?.doubt !== undefined) this.#schedule.doubt(performance.now());
    const told = due === 'told' ? changes : undefined;
    emit({ type: 'updating', repository, names: told?.count ?? null });
    const code = await update(told?.list());
    const now = performance.now();
    const pause = this.#schedule.ended(now, due, outcomeOf(code));
    if (this.#isMissing) this.#schedule.block(now, MISSING_MS);
    const againMs = this.#isMissing ? MISSING_MS : pause;
    emit({ type: 'updated', repository, code, againSeconds: againMs === undefined ? null : againMs / 1000 });
  }
}

function isThere(source: ByteString): boolean {
  try {
    statSource(source);
    return true;
  } catch {
    return false;
  }
}

/** An update with one of these exit codes has committed a snapshot, and has left out what the next one may get. */
const IN_PART: readonly number[] = [EXIT.unreadable, EXIT.atRisk];
/** With one of these it has done what is to be done: what was changing while it was read is told by an event. */
const DONE: readonly number[] = [EXIT.done, EXIT.unstable, EXIT.held];

function outcomeOf(code: number): Outcome {
  if (DONE.includes(code)) return 'done';
  return IN_PART.includes(code) ? 'again' : 'failed';
}
