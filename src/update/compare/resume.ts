/**
 * resume — gives files that an interrupted run has imported the CIDs that it noted, so that they are not read again. Only files
 * that are new or changed against the parent are looked for in those notes, the pending entries.
 * In, out: the walk, with each entry's state. Holds: the pending records of one directory.
 */
import { type ByteString, type Codec, FILE } from '../../core/model.ts';
import { keyOf } from '../../core/path-bytes.ts';
import type { PendingRecord } from '../../index/pending/reader.ts';
import { CHANGED, CID_COLUMN_BYTES, type Directory, METADATA, NEW } from '../../walk/directory.ts';
import type { WalkStep } from '../../walk/walk-step.ts';
import { hasSameStat, type JudgeOptions } from './judge.ts';

/** Pending entries of one run and of one kind (files that it read, or root nodes that it made anew), in walk order. */
export interface PendingSource {
  readonly records: Iterator<PendingRecord, void, void>;
  /** Called when an entry takes its CID from here: from then on the tree needs the shards that this run has placed. */
  readonly onTaken: () => void;
}

export function resume(steps: Iterable<WalkStep>, sources: readonly PendingSource[], options: JudgeOptions): Iterable<WalkStep> {
  return sources.length === 0
    ? steps
    : resuming(
        steps,
        sources.map((source) => new PendingCursor(source)),
        options,
      );
}

function* resuming(steps: Iterable<WalkStep>, cursors: readonly PendingCursor[], options: JudgeOptions): Generator<WalkStep, void, void> {
  for (const step of steps) {
    if (step.kind === 'enter' && hasImports(step.directory)) for (const cursor of cursors) cursor.takeOver(step.directory, options);
    yield step;
  }
}

function hasImports(directory: Directory): boolean {
  for (let i = 0; i < directory.count; i++) if (isImport(directory, i)) return true;
  return false;
}

function isImport({ kinds, states }: Directory, i: number): boolean {
  return kinds[i] === FILE && (states[i] === NEW || states[i] === CHANGED || states[i] === METADATA);
}

class PendingCursor {
  readonly #source: PendingSource;
  #record: PendingRecord | undefined;

  constructor(source: PendingSource) {
    this.#source = source;
    this.#advance();
  }

  takeOver(directory: Directory, options: JudgeOptions): void {
    const key = keyOf(directory.path);
    for (; this.#record !== undefined && keyOf(this.#record.path) <= key; this.#advance()) {
      if (this.#record.path === directory.path && takeRecord(directory, this.#record, options)) this.#source.onTaken();
    }
  }

  #advance(): void {
    const next = this.#source.records.next();
    this.#record = next.done === true ? undefined : next.value;
  }
}

/** @returns whether any entry took its CID from the record */
function takeRecord(directory: Directory, record: PendingRecord, options: JudgeOptions): boolean {
  let taken = false;
  let i = -1;
  for (let j = 0; j < record.names.length; j++) {
    const at = find(directory.names, record.names[j] as ByteString, i + 1);
    if (at < 0) continue;
    i = at;
    if (!isImport(directory, i) || directory.isResumed(i) || !hasSameStat(directory, i, record, j, options)) continue;
    const cid = j * CID_COLUMN_BYTES;
    directory.setRoot(i, record.cids[cid] as Codec, record.cids, cid + 1, record.dagSizes[j] as number);
    directory.resumed ??= new Uint8Array(directory.count);
    directory.resumed[i] = 1;
    taken = true;
  }
  return taken;
}

/** Position of a name, or -1. @param hint where it is most of the time: both lists are sorted, and are searched in their order */
function find(names: readonly ByteString[], name: ByteString, hint: number): number {
  if (names[hint] === name) return hint;
  let low = 0;
  let high = names.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((names[middle] as ByteString) < name) low = middle + 1;
    else high = middle;
  }
  return names[low] === name ? low : -1;
}
