/** Tasks side by side, a bounded number at a time. The only file that imports p-queue, so that an update which finds nothing to do does not load it. */
import PQueue from 'p-queue';

/**
 * Runs tasks side by side, and holds the producer back when too many wait.
 * The first failure is kept: every later `add` and `drained` throws it, so that a pipeline stops at its next step.
 */
export class BoundedQueue {
  readonly #queue: PQueue;
  readonly #concurrency: number;
  readonly #waiting: number;
  #failure: { error: unknown } | undefined;

  /** @param concurrency tasks that run at once @param most tasks that may be running or waiting before `add` blocks */
  constructor(concurrency: number, most: number) {
    this.#queue = new PQueue({ concurrency });
    this.#concurrency = concurrency;
    this.#waiting = Math.max(1, most - concurrency + 1);
  }

  /** Queues a task; resolves as soon as there is room for the next one, not when the task is done. */
  async add(task: () => Promise<void>): Promise<void> {
    this.#rethrow();
    void this.#queue.add(task).catch((error: unknown) => {
      this.#failure ??= { error };
      this.#queue.clear();
    });
    await this.#queue.onSizeLessThan(this.#waiting);
    this.#rethrow();
  }

  /** Lets so many tasks run at once in addition to `concurrency`. The placer does so for shards that wait only for lagging peers. */
  widen(by: number): void {
    const concurrency = this.#concurrency + by;
    if (this.#queue.concurrency !== concurrency) this.#queue.concurrency = concurrency;
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
