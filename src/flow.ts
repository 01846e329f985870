/** All waiting and all concurrency of the program: a bounded queue over p-queue, and abortable sleep. */
import { setTimeout } from 'node:timers/promises';
import PQueue from 'p-queue';

/**
 * Runs tasks side by side, a bounded number at a time, and holds the producer back when too many wait.
 * The first failure is kept: every later `add` and `drained` throws it, so that a pipeline stops at its next step.
 */
export class BoundedQueue {
  readonly #queue: PQueue;
  readonly #most: number;
  #failure: { error: unknown } | undefined;

  /** @param concurrency tasks that run at once @param most tasks that may be running or waiting before `add` blocks */
  constructor(concurrency: number, most: number) {
    this.#queue = new PQueue({ concurrency });
    this.#most = most;
  }

  /** Queues a task; resolves as soon as there is room for the next one, not when the task is done. */
  async add(task: () => Promise<void>): Promise<void> {
    this.#rethrow();
    void this.#queue.add(task).catch((error: unknown) => {
      this.#failure ??= { error };
      this.#queue.clear();
    });
    await this.#queue.onSizeLessThan(Math.max(1, this.#most - this.#queue.concurrency + 1));
    this.#rethrow();
  }

  /** Resolves when every task is done; throws the first failure. */
  async drained(): Promise<void> {
    await this.#queue.onIdle();
    this.#rethrow();
  }

  #rethrow(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}

/** Waits. @throws whatever `signal` is aborted with, at once */
export async function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  try {
    await setTimeout(ms, undefined, signal === undefined ? {} : { signal });
  } catch (error) {
    throw signal?.aborted ? signal.reason : error;
  }
}
