/**
 * A second thread that sweeps as the main thread does. Starting it takes as long as everything that comes before the sweep, so
 * `update` starts it first of all.
 */
import { MessageChannel, receiveMessageOnPort, Worker } from 'node:worker_threads';
import { NativeVisit } from './native-visit.ts';
import type { SweptBlock } from './sweep-block.ts';
import type { SentTask, SweepAnswer, SweepTask } from './sweep-task.ts';

export interface Help {
  /** Takes the answers that are there, without waiting. */
  receive(): void;
  /** Resolves when all answers are taken; one that came too late to take any block is not waited for. */
  answered(): Promise<void>;
  /** No more answers are wanted. */
  end(): void;
}

/** Longer than a block takes, unless its disk does not answer. */
const LEAVE_MS = 500;

export class SecondThread {
  readonly #visit = new NativeVisit();
  readonly #worker = new Worker(new URL('./sweep-worker.js', import.meta.url), {
    workerData: this.#visit.memory,
    // Its descriptors are not counted: Node would warn of each that it closes and koffi has opened.
    trackUnmanagedFds: false,
  });
  readonly #gone: Promise<void>;

  constructor() {
    this.#worker.unref();
    // Whatever it fails on, the main thread meets when it looks at the same block, and reports.
    this.#worker.on('error', () => {});
    this.#gone = new Promise((resolve) => this.#worker.once('exit', () => resolve()));
  }

  /** Lets it take blocks. */
  help(task: SweepTask, onBlock: (block: number, found: SweptBlock) => void): Help {
    const { port1: own, port2: answers } = new MessageChannel();
    let finish = () => {};
    const done = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const take = (answer: SweepAnswer) => (answer === 'done' ? finish() : onBlock(answer.block, answer.found));
    own.on('message', take);
    own.unref();
    this.#worker.postMessage({ ...task, answers } satisfies SentTask, [answers]);
    return {
      receive: () => {
        for (let it = receiveMessageOnPort(own); it !== undefined; it = receiveMessageOnPort(own)) take(it.message as SweepAnswer);
      },
      answered: async () => {
        if (Atomics.load(task.next, 1) === 0) return;
        own.ref();
        this.#worker.ref();
        await Promise.race([done, this.#gone]);
        this.#worker.unref();
        own.unref();
      },
      end: () => own.close(),
    };
  }

  /** Waits until the thread is outside koffi, and keeps it there: only then may the thread, or the process, be ended (`native-visit.ts`). */
  leaveNative(): void {
    this.#visit.close(LEAVE_MS);
  }

  stop(): void {
    this.leaveNative();
    void this.#worker.terminate();
  }
}
