/**
 * sweep — looks first whether the source is still as the parent's entries say.
 * In: the hot part of the parent's entries. Out: for each directory whether it is as it was, or which stat data are new.
 * Holds: a few bytes for each directory, and 40 bytes for each entry with new stat data.
 *
 * The parent's entries say beforehand what there is to look at, block by block, so that two threads can share the work; a directory that
 * is as it was never becomes a `Directory`. As soon as something differs, the main thread goes on with the pipeline, while the second
 * thread sweeps ahead of it.
 */
import { setImmediate } from 'node:timers/promises';
import { damagedEntries } from '../../index/entries/format.ts';
import type { EntriesReader } from '../../index/entries/reader.ts';
import { AS_IT_WAS, type Touched } from './sweep-block.ts';
import { SharedBlocks, type SweepOptions } from './sweep-shared.ts';

/** How often signals get a turn: nothing here waits. */
const TURN_MS = 50;

/** What the sweep found of the parent's directories. Asked in walk order. */
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

  /** Sweeps on until this directory is known, for 50 ms at most. @returns whether it is known */
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

  /** Sweeps until something differs, or to the end. */
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

  /** Ends the sweep: the second thread takes no more blocks. */
  close(): void {
    this.#blocks.close();
  }

  #join(): void {
    const { depths, verdicts, touched } = this.#blocks.swept(this.#knownBlocks++);
    const after = this.#known + depths.length;
    const isLast = this.#knownBlocks === this.#blocks.count;
    // An entries file that was cut between two blocks has no broken block: only the count of directories shows it.
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
