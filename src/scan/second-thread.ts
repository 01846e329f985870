/**
 * Another thread that sweeps as this one does. Starting it takes as long as everything that comes before the sweep: who knows
 * early that there will be one starts it then.
 */
import { Worker } from 'node:worker_threads';
import type { Trust } from '../model.ts';
import type { SweptBlock } from './sweep-block.ts';

export interface SweepTask {
  readonly hotPath: string;
  readonly offsets: readonly number[];
  /** Shared: the next block that nobody has taken, and how many times the second thread came to take one. */
  readonly next: Int32Array;
  readonly source: string;
  readonly filters: readonly string[];
  readonly trust: Trust;
  readonly metadata: boolean;
}

/** What it answers for each block, and at the end of a task. */
export type SweepAnswer = { readonly block: number; readonly found: SweptBlock } | 'done';

export class SecondThread {
  readonly #worker = new Worker(new URL('./sweep-worker.js', import.meta.url));
  #answer: (answer: SweepAnswer) => void = () => {};
  #isGone = false;

  constructor() {
    this.#worker.unref();
    this.#worker.on('message', (answer: SweepAnswer) => this.#answer(answer));
    // It fails on what this thread will fail on too, when it looks at the block.
    this.#worker.on('error', () => {});
    this.#worker.once('exit', () => {
      this.#isGone = true;
      this.#answer('done');
    });
  }

  /** Lets it take blocks. @returns what to wait for before its answers are all there; one that came too late to take any is not waited for */
  help(task: SweepTask, onBlock: (block: number, found: SweptBlock) => void): () => Promise<void> {
    const done = new Promise<void>((resolve) => {
      this.#answer = (answer) => (answer === 'done' ? resolve() : onBlock(answer.block, answer.found));
      if (this.#isGone) resolve();
    });
    this.#worker.postMessage(task);
    return async () => {
      if (Atomics.load(task.next, 1) === 0) return;
      this.#worker.ref();
      await done;
      this.#worker.unref();
    };
  }

  stop(): void {
    void this.#worker.terminate();
  }
}
