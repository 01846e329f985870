/** How much memory V8 may take for garbage that it has not collected yet. */
import { setFlagsFromString } from 'node:v8';

/**
 * `semi-space-growth-factor`: the young generation of a thread, where new objects are, stays as it is, 2 to 8 MB. V8 lets that of the main
 * thread grow to 48 MB (Node 20) or 134 MB (Node 24), and with it the memory of buffers that nobody needs any more.
 * `heap-growing-percent`: by how much the rest may grow over what is in use before it is collected. V8 takes up to 300 %, and the garbage
 * came to 80 MB, most of it buffers. Figures: docs/measurements.md, "Memory of an import". `optimize-for-size` besides took 8 MB less
 * and, in one run each of Node 20 and 24, 17 and 10 % more processor time.
 */
const FLAGS = ['--semi-space-growth-factor=1', '--heap-growing-percent=25'];

/**
 * What a thread has taken through when its heap is to be kept small. An update of 5,000 packages of which 50 had changed took 5 to 9 % less
 * processor time when its heap was left alone (medians of 24 in turns, load 2 to 3), and as much memory (87 MB); one of ten files among
 * 1,000,000 took 113 MB and 119 (medians of 3).
 */
const LITTLE_BYTES = 32 * 1024 * 1024;

/** Counts what passes through a thread, and keeps its heap small from when that is much. */
export class Throughput {
  #left = LITTLE_BYTES;

  note(bytes: number): void {
    if (this.#left < 0) return;
    this.#left -= bytes;
    if (this.#left < 0) keepHeapSmall();
  }
}

/**
 * Keeps the heap of every thread of this process small, for runs through which much passes that is soon garbage. A thread that starts lets
 * the young generations grow again, so this is to be called when each has started.
 */
export function keepHeapSmall(): void {
  for (const flag of FLAGS) setFlagsFromString(flag);
}
