/**
 * sweep — looks whether the source is as the parent's entries say, before anything else is done.
 * In: the hot part of the parent's entries. Out: per directory, whether it is as it was, or what of it is new.
 * Holds: a few bytes a directory, and the new stat data, 40 bytes an entry that has them.
 *
 * The parent is the best guess of what is there. So the work is known beforehand, block by block, and two threads can share it; what
 * is as it was never becomes a `Directory`. Once something differs there is more to do than to look: this thread goes on with that,
 * while the second sweeps ahead of it.
 */
import { setImmediate } from 'node:timers/promises';
import { damagedEntries } from '../../index/entries/format.ts';
import type { EntriesReader } from '../../index/entries/reader.ts';
import { AS_IT_WAS, type Touched } from './sweep-block.ts';
import { SharedBlocks, type SweepOptions } from './sweep-shared.ts';

/** Nothing here waits: signals would not get their turn. */
const TURN_MS = 50;

/** What became of the parent's directories. Asked in walk order. */
export class Sweep {
  readonly #entries: EntriesReader;
  readonly #blocks: SharedBlocks;
  /** Per directory in walk order, as far as `#known`. */
  readonly #depths: Uint16Array;
  readonly #verdicts: Uint8Array;
  #known = 0;
  #knownBlocks = 0;
  #touched: { readonly ordinal: number; readonly touched: Touched }[] = [];
  #isClean = true;

  constructor(entries: EntriesReader, blocks: SharedBlocks) {
    this.#entries = entries;
    this.#blocks = blocks;
    this.#depths = new Uint16Array(entries.directories);
    this.#verdicts = new Uint8Array(entries.directories);
  }

  /** All was looked at, and nothing below the root differs. */
  get isClean(): boolean {
    return this.#isClean && this.#knownBlocks === this.#blocks.count;
  }

  get directories(): number {
    return this.#depths.length;
  }

  /** Looks, if need be, until this directory is known; for about a turn at most. @returns whether it is */
  knows(ordinal: number): boolean {
    for (const until = performance.now() + TURN_MS; ordinal >= this.#known; this.#join()) {
      if (performance.now() >= until) return false;
    }
    return true;
  }

  /** How deep a known directory is: its subtree ends before the next that is not deeper. */
  depth(ordinal: number): number {
    return this.#depths[ordinal] as number;
  }

  verdict(ordinal: number): number {
    return this.#verdicts[ordinal] as number;
  }

  /** New stat data of a known directory, if it has any. Those of the directories before it are forgotten. */
  touched(ordinal: number): Touched | undefined {
    const passed = this.#touched.findIndex((it) => it.ordinal >= ordinal);
    this.#touched = passed < 0 ? [] : this.#touched.slice(passed);
    return this.#touched[0]?.ordinal === ordinal ? this.#touched[0].touched : undefined;
  }

  /** Looks on until something differs. */
  async untilDifferent(signal: AbortSignal): Promise<void> {
    let nextTurn = performance.now() + TURN_MS;
    while (!this.#blocks.isDifferent && this.#blocks.sweepNext()) {
      if (performance.now() < nextTurn) continue;
      await setImmediate();
      signal.throwIfAborted();
      nextTurn = performance.now() + TURN_MS;
    }
    if (this.#blocks.isDifferent) return;
    await this.#blocks.answered();
    while (this.#knownBlocks < this.#blocks.count) this.#join();
  }

  /** Nobody asks any more. */
  close(): void {
    this.#blocks.close();
  }

  #join(): void {
    const { depths, verdicts, touched } = this.#blocks.swept(this.#knownBlocks++);
    const after = this.#known + depths.length;
    const isLast = this.#knownBlocks === this.#blocks.count;
    // A file that was cut between two blocks looks complete by itself.
    if (isLast ? after !== this.directories : after > this.directories)
      throw damagedEntries(this.#entries.hot.path, 'directories are missing');
    this.#depths.set(depths, this.#known);
    if (verdicts === undefined) this.#verdicts.fill(AS_IT_WAS, this.#known, after);
    else this.#verdicts.set(verdicts, this.#known);
    if (verdicts !== undefined) this.#isClean = false;
    for (const it of touched) this.#touched.push({ ordinal: this.#known + it.record, touched: it });
    this.#known = after;
  }
}

/** @throws EntriesDamaged when the parent's entries cannot be read; also later, when what comes is looked at */
export async function sweep(options: SweepOptions & { readonly signal: AbortSignal }): Promise<Sweep> {
  const found = new Sweep(options.entries, new SharedBlocks(options));
  try {
    await found.untilDifferent(options.signal);
    return found;
  } catch (error) {
    found.close();
    throw error;
  }
}
