/** Counts the entries that pass through the pipeline, for the summary and for progress. */
import type { Emit, EntryProblem, Event } from '../core/events.ts';
import { type ByteString, DIRECTORY, FILE, SYMLINK } from '../core/model.ts';
import { CHANGED, type Directory, DROPPED, METADATA, NEW, SAME } from '../walk/directory.ts';
import { type FilledStep, isFilled, isSameSubtree, type WalkStep } from '../walk/walk-step.ts';

/** Progress events are this far apart at least. */
const EVERY_MS = 100;

export class Tally {
  readonly problems: Record<EntryProblem, number> = { unreadable: 0, vanished: 0, changed: 0, special: 0 };
  files = 0;
  /** The root counts. */
  directories = 1;
  symlinks = 0;
  bytes = 0;
  newFiles = 0;
  resumedFiles = 0;
  /** Entries that are new or differ from the parent's. */
  different = 0;
  /** Entries whose record in the index differs from the parent's, be it only in a ctime. */
  changes = 0;
  /** Whether an entry that the parent does not have has one of the names that are watched for. */
  hasNewIndexName = false;
  readonly #indexNames: ReadonlySet<ByteString>;
  readonly #scanned = { files: 0, directories: 1, symlinks: 0, bytes: 0 };
  readonly #emit: Emit;
  readonly #now: () => number;
  #nextTell = 0;

  /** @param indexNames names that are watched for */
  constructor(emit: Emit, now: () => number, indexNames: ReadonlySet<ByteString> = new Set()) {
    this.#indexNames = indexNames;
    this.#emit = emit;
    this.#now = now;
  }

  /** Counts what the tree has where the walk does not go. */
  elsewhere(counts: Readonly<Counts>): void {
    add(this, counts);
    add(this.#scanned, counts);
  }

  /** Passes events on and counts the problems among them. */
  readonly emit = (event: Event): void => {
    if (event.type === 'entry') this.problems[event.problem]++;
    this.#emit(event);
  };

  /** Watches the walk. */
  *scanned(steps: Iterable<WalkStep>): Generator<WalkStep, void, void> {
    for (const step of steps) {
      if (step.kind === 'enter') this.#countScanned(step.directory);
      if (step.kind === 'same') add(this.#scanned, step.subtree);
      yield step;
    }
    this.#tell(true);
  }

  /** Watches directories fill. */
  async *filled<Step extends { readonly kind: string }>(
    steps: AsyncIterable<Step | FilledStep>,
  ): AsyncGenerator<Step | FilledStep, void, void> {
    for await (const step of steps) {
      if (isFilled(step)) this.#countImported(step.directory);
      if (isSameSubtree(step)) add(this, step.subtree);
      yield step;
    }
    this.#tell(true);
  }

  #countScanned(directory: Directory): void {
    const scanned = this.#scanned;
    for (let i = 0; i < directory.count; i++) {
      if (directory.states[i] === DROPPED) continue;
      const kind = directory.kinds[i];
      if (kind === FILE) {
        scanned.files++;
        scanned.bytes += directory.sizeOf(i);
      } else if (kind === DIRECTORY) scanned.directories++;
      else if (kind === SYMLINK) scanned.symlinks++;
    }
    this.#tell(false);
  }

  #countImported(directory: Directory): void {
    for (let i = 0; i < directory.count; i++) {
      const state = directory.states[i];
      if (state === DROPPED) continue;
      const kind = directory.kinds[i];
      const differs = state === NEW || state === CHANGED;
      if (kind === FILE) {
        this.files++;
        this.bytes += directory.sizeOf(i);
        if (differs) this.newFiles++;
        if (directory.isResumed(i)) this.resumedFiles++;
      } else if (kind === DIRECTORY) this.directories++;
      else this.symlinks++;
      if (state === NEW && this.#indexNames.has(directory.nameOf(i))) this.hasNewIndexName = true;
      if (differs || state === METADATA) this.different++;
      if (state !== SAME) this.changes++;
    }
    this.changes += directory.refreshed;
    this.#tell(false);
  }

  #tell(done: boolean): void {
    const now = this.#now();
    if (!done && now < this.#nextTell) return;
    this.#nextTell = now + EVERY_MS;
    this.#emit({ type: 'scan', ...this.#scanned, done });
    this.#emit({ type: 'import', files: this.files, bytes: this.bytes, unchanged: this.files - this.newFiles });
  }
}

interface Counts {
  files: number;
  directories: number;
  symlinks: number;
  bytes: number;
}

function add(counts: Counts, { files, directories, symlinks, bytes }: Readonly<Counts>): void {
  counts.files += files;
  counts.directories += directories;
  counts.symlinks += symlinks;
  counts.bytes += bytes;
}
