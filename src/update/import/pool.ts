/** The import workers and the slabs of shared memory through which blocks come back from them. */
import { Worker } from 'node:worker_threads';
import type { Reach } from '../../source/reach.ts';
import { FileImporter } from './file-importer.ts';
import { type Result, type ResultMessage, SLAB_BYTES, type Task, type TaskMessage, type WorkerSetup } from './protocol.ts';

/** Each worker fills one slab and has others queued while the blocks of one are written. One more slab, for all, is kept for retries. */
const SLABS_PER_WORKER = 4;

/** Tasks of at most so many files, and bytes in them, are done in this thread before there is a worker: in less time than it takes to start one. */
const FEW_FILES = 16;
const FEW_BYTES = 1024 * 1024;

interface PoolWorker {
  readonly worker: Worker;
  outstanding: number;
}

interface Waiting {
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
  readonly worker: PoolWorker;
}

export class ImportPool {
  /** The slab for files that are read again out of turn, when all others may be full and waiting. */
  readonly spareSlab = 0;
  readonly #slabs: readonly SharedArrayBuffer[];
  readonly #free: number[] = [];
  readonly #most: number;
  readonly #own: FileImporter;
  readonly #start: () => PoolWorker;
  /** A worker is started when a task finds the others busy. Starting one takes tens of milliseconds of a core, and a run with few changes needs one or none. */
  readonly #workers: PoolWorker[] = [];
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 0;
  #freed: (() => void) | undefined;
  #failure: unknown;

  /** @param reach how this thread reaches the source */
  constructor(workers: number, setup: Omit<WorkerSetup, 'slabs'>, reach: Reach) {
    this.#slabs = Array.from({ length: workers * SLABS_PER_WORKER + 1 }, () => new SharedArrayBuffer(SLAB_BYTES));
    for (let slab = this.#slabs.length - 1; slab > this.spareSlab; slab--) this.#free.push(slab);
    const workerData: WorkerSetup = { ...setup, slabs: this.#slabs };
    this.#most = workers;
    this.#own = new FileImporter(workerData, reach);
    this.#start = () => {
      const worker = new Worker(new URL('./worker.js', import.meta.url), { workerData });
      worker.on('message', (message: ResultMessage) => this.#answer(message));
      worker.on('error', (error) => this.#fail(error));
      worker.on('exit', (code) => this.#fail(new Error(`an import worker ended with code ${code}`)));
      const started = { worker, outstanding: 0 };
      this.#workers.push(started);
      return started;
    };
  }

  /** A slab for the next task; undefined when all are in use. */
  takeSlab(): number | undefined {
    return this.#free.pop();
  }

  get hasSlab(): boolean {
    return this.#free.length > 0;
  }

  /** Gives a slab back when its blocks are written. */
  releaseSlab(slab: number): void {
    this.#free.push(slab);
    this.#freed?.();
    this.#freed = undefined;
  }

  /** Resolves when a slab is released. */
  slabFreed(): Promise<void> {
    if (this.hasSlab) return Promise.resolve();
    return new Promise((resolve) => {
      this.#freed = resolve;
    });
  }

  /** The first bytes of a slab: the batch that a task left there. */
  batch(slab: number, bytes: number): Buffer {
    return Buffer.from(this.#slabs[slab] as SharedArrayBuffer, 0, bytes);
  }

  submit(task: Task): Promise<Result> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#workers.length === 0 && isSmall(task)) return Promise.resolve().then(() => this.#own.do(task));
    const chosen = this.#leastBusy();
    const id = this.#nextId++;
    chosen.outstanding++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject, worker: chosen });
      chosen.worker.postMessage({ id, task } satisfies TaskMessage);
    });
  }

  async close(): Promise<void> {
    for (const { worker } of this.#workers) worker.removeAllListeners('exit');
    await Promise.all(this.#workers.map(({ worker }) => worker.terminate()));
  }

  #leastBusy(): PoolWorker {
    const [first, ...others] = this.#workers;
    const least = first && others.reduce((a, b) => (b.outstanding < a.outstanding ? b : a), first);
    return least === undefined || (least.outstanding > 0 && this.#workers.length < this.#most) ? this.#start() : least;
  }

  #answer({ id, result }: ResultMessage): void {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return;
    this.#waiting.delete(id);
    waiting.worker.outstanding--;
    waiting.resolve(result);
  }

  #fail(error: unknown): void {
    this.#failure ??= error;
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}

function isSmall(task: Task): boolean {
  if (task.kind !== 'files' || task.origins.length > FEW_FILES) return false;
  return task.expected.sizes.reduce((sum, bytes) => sum + bytes, 0) <= FEW_BYTES;
}
