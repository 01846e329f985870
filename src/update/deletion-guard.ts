/**
 * Counts what the source does not have any more, and stops a run that would delete too much: an unmounted disk looks like
 * a mirror of which everything was deleted.
 */
import { ShardctlError } from '../core/errors.ts';
import type { SnapshotRecord } from '../core/model.ts';
import type { Directory } from '../walk/directory.ts';
import type { WalkStep } from '../walk/walk-step.ts';

/** Most entries that one run may delete: as many, or that part of the parent's. */
export type MaxDelete = { readonly entries: number } | { readonly percent: number };

export interface DeletionsOptions {
  readonly repository: string;
  /** Undefined: no limit. */
  readonly limit: MaxDelete | undefined;
  /** The snapshot that is compared with. */
  readonly parent: SnapshotRecord | undefined;
  /** Whether its entries are known, so that each removal is told of. */
  readonly compared: boolean;
  /** Stop as soon as it is clear that too much is gone; a dry run goes on, to tell of all of it. */
  readonly stopAtOnce: boolean;
}

export class Deletions {
  readonly #options: DeletionsOptions;
  /** Entries of the parent, without its root. */
  readonly #before: number;
  readonly #most: number;
  #now = 0;
  #told = 0;
  /** There is nothing where something was. */
  #emptied = false;

  constructor(options: DeletionsOptions) {
    const { limit, parent } = options;
    this.#options = options;
    this.#before = parent === undefined ? 0 : parent.counts.files + parent.counts.directories - 1 + parent.counts.symlinks;
    if (limit === undefined) this.#most = Number.POSITIVE_INFINITY;
    else this.#most = 'entries' in limit ? limit.entries : (this.#before * limit.percent) / 100;
  }

  /** Entries that are gone. */
  get removed(): number {
    if (this.#emptied) return this.#before;
    // Without the parent's entries only their number is known: so many are gone at least.
    return this.#options.compared ? this.#told : Math.max(0, this.#before - this.#now);
  }

  /** Takes note of an entry that is gone. */
  note(): void {
    this.#told++;
  }

  /** `MAX_DELETE`, or undefined when no more is gone than may be. */
  get excess(): ShardctlError | undefined {
    // An empty source is refused whatever number is allowed.
    if (this.#emptied && this.#options.limit !== undefined) return this.#error('the source is empty');
    return this.removed > this.#most ? this.#error('more than --max-delete allows') : undefined;
  }

  /** Watches the walk. */
  *watch(steps: Iterable<WalkStep>): Generator<WalkStep, void, void> {
    const { compared, stopAtOnce } = this.#options;
    for (const step of steps) {
      if (step.kind === 'enter') this.#count(step.directory);
      if (stopAtOnce && (compared || this.#emptied)) this.#refuseExcess();
      yield step;
    }
    if (stopAtOnce) this.#refuseExcess();
  }

  #count(directory: Directory): void {
    const isRoot = directory.parent === undefined;
    if (!isRoot && this.#options.compared) return;
    const entries = directory.live().length;
    this.#now += entries;
    if (isRoot) this.#emptied = entries === 0 && this.#before > 0;
  }

  #refuseExcess(): void {
    const { excess } = this;
    if (excess !== undefined) throw excess;
  }

  #error(why: string): ShardctlError {
    const { repository, parent } = this.#options;
    const gone = `${this.removed} or more of the ${this.#before} entries of ${repository}@${parent?.number} are gone`;
    return new ShardctlError('MAX_DELETE', `${why}: ${gone}`, {
      hint: `nothing was changed; is its disk mounted? If it is meant, allow it with --max-delete ${this.#emptied ? 'none' : 'N, P% or none'}`,
    });
  }
}
