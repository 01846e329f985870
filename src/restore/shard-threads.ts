/**
 * The threads that write files, a job each at a time; the next job waits in the thread, so that it need not wait for the main thread. That one
 * writes, too, where shards are files of this machine.
 */
import { availableParallelism } from 'node:os';
import { setImmediate as immediate } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { type ErrorCode, ShardctlError } from '../core/errors.ts';
import type { Libc } from '../core/libc.ts';
import type { SentError, ShardJob, WorkerMessage, WriterSettings } from './shard-job.ts';
import { ShardWriter } from './shard-writer.ts';

/** Of shards that come from daemons or gateways: their answers are waited for, and the main thread has to hear everybody else meanwhile. */
const THREADS_AFAR = 2;
/**
 * Of shards that are files, beside the main thread: there is one writer a core, and three at most. A thread of its own for what the main thread
 * can do costs 7 % more processor time, to start it and to compile once more what all threads run (40,000 files of 27 KB: 3.70 for 3.43 s).
 */
const THREADS_NEAR = availableParallelism() > 2 ? 2 : 1;
/** What a thread makes is soon garbage: 20 to 40 MB less for both threads than with V8's own limit, and no more processor time. */
const YOUNG = { maxYoungGenerationSizeMb: 8 };
/** Jobs that a thread has, the one that it does included. */
const JOBS_AHEAD = 2;
/** Threads look at each block whether they are to stop; one that waits for a daemon is ended. */
const STOP_MS = 1_000;

/** Makes the job of this number when a thread can take it; undefined when there is nothing to do after all. */
export type MakeJob = (id: number) => Promise<ShardJob | undefined>;

interface Task {
  readonly id: number;
  readonly make: MakeJob;
  /** Never throws. */
  readonly onMessage: (message: WorkerMessage) => void;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

interface Thread {
  readonly worker: Worker;
  /** What it has to do, by the number of the job. */
  readonly tasks: Map<number, Task>;
}

export class ShardThreads {
  readonly #settings: WriterSettings;
  readonly #libc: Libc | undefined;
  readonly #threads: Thread[] = [];
  readonly #waiting: Task[] = [];
  readonly #running = new Set<Promise<void>>();
  #nextId = 0;
  /** Whether all shards so far are files of this machine; undefined until a job was made. */
  #isNear: boolean | undefined;
  /** Whether this thread has a task of its own. */
  #isBusyHere = false;
  /** Resolves when what was begun in this thread is over. */
  #lastHere: Promise<void> = Promise.resolve();
  #onMessageHere: Task['onMessage'] = () => {};
  #writerHere: ShardWriter | undefined;

  constructor({ overwrite, specialBits }: WriterSettings, libc: Libc | undefined) {
    this.#settings = { overwrite, specialBits };
    this.#libc = libc;
  }

  get isStarted(): boolean {
    return this.#threads.length > 0;
  }

  /** Starts all threads, for who will soon have much to do. */
  start(): void {
    while (this.#threads.length < THREADS_NEAR) this.#start();
  }

  /** Resolves when the job is over. @throws when it cannot be made; for a bug in a thread */
  submit(make: MakeJob, onMessage: (message: WorkerMessage) => void): Promise<void> {
    const running = new Promise<void>((resolve, reject) => {
      this.#waiting.push({ id: this.#nextId++, make, onMessage, resolve, reject });
      this.#pump();
    }).finally(() => {
      this.#running.delete(running);
      this.#pump();
    });
    this.#running.add(running);
    return running;
  }

  /** The same in this thread, where that is less than starting one. */
  doHere(make: MakeJob, onMessage: (message: WorkerMessage) => void): Promise<void> {
    const running = make(this.#nextId++)
      .then((job) => (job === undefined ? undefined : this.#writeHere(job, onMessage)))
      .finally(() => this.#running.delete(running));
    this.#running.add(running);
    return running;
  }

  /** Waits a moment for jobs that were told to stop, and ends the threads. */
  async close(): Promise<void> {
    for (const { resolve } of this.#waiting.splice(0)) resolve();
    let timer: NodeJS.Timeout | undefined;
    const moment = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, STOP_MS);
    });
    await Promise.race([moment, Promise.allSettled(this.#running)]);
    clearTimeout(timer);
    this.#writerHere?.close();
    await Promise.all(this.#threads.splice(0).map(({ worker }) => worker.terminate()));
  }

  /** Gives waiting tasks to the threads that have the least to do, and to this one when they have enough. */
  #pump(): void {
    while (this.#waiting.length > 0) {
      const thread = this.#idlest();
      if (thread !== undefined) this.#give(thread, this.#waiting.shift() as Task);
      else if (this.#isNear === true && !this.#isBusyHere) void this.#doTaskHere(this.#waiting.shift() as Task);
      else return;
    }
  }

  #give(thread: Thread, task: Task): void {
    thread.tasks.set(task.id, task);
    void task.make(task.id).then(
      (job) => {
        if (job === undefined) return this.#end(thread, task);
        this.#isNear = this.#isNear !== false && isNear(job);
        thread.worker.postMessage(job, transferred(job));
      },
      (error: unknown) => this.#end(thread, task, { error }),
    );
  }

  async #doTaskHere(task: Task): Promise<void> {
    this.#isBusyHere = true;
    try {
      const job = await task.make(task.id);
      if (job === undefined || isNear(job)) {
        if (job !== undefined) await this.#writeHere(job, task.onMessage);
        task.resolve();
      } else {
        this.#isNear = false;
        this.#waiting.unshift({ ...task, make: async () => job });
      }
    } catch (error) {
      task.reject(error);
    }
    // What the threads have told meanwhile is heard before this one takes more, so that they do not wait for their next jobs.
    await immediate();
    this.#isBusyHere = false;
    this.#pump();
  }

  /** One job at a time: all of them go through the buffers of one writer. */
  #writeHere(job: ShardJob, onMessage: Task['onMessage']): Promise<void> {
    const writing = this.#lastHere.then(async () => {
      this.#onMessageHere = onMessage;
      this.#writerHere ??= new ShardWriter(this.#settings, this.#libc, (message) => this.#onMessageHere(message));
      await this.#writerHere.write(job);
    });
    this.#lastHere = writing.catch(() => {});
    return writing;
  }

  #idlest(): Thread | undefined {
    const most = this.#isNear === false ? THREADS_AFAR : THREADS_NEAR;
    if (this.#threads.length < most && this.#threads.every(({ tasks }) => tasks.size > 0)) return this.#start();
    const idlest = this.#threads.reduce((a, b) => (b.tasks.size < a.tasks.size ? b : a));
    return idlest.tasks.size < JOBS_AHEAD ? idlest : undefined;
  }

  #start(): Thread {
    const worker = new Worker(new URL('./stream-worker.js', import.meta.url), {
      workerData: this.#settings,
      resourceLimits: YOUNG,
      // Node would warn of each file that was opened by a system call of ours, and that it closes.
      trackUnmanagedFds: false,
    });
    const thread: Thread = { worker, tasks: new Map() };
    worker.on('message', (message: WorkerMessage) => {
      const task = thread.tasks.get(message.job);
      if (task === undefined) return;
      if (message.type === 'broken') return this.#end(thread, task, { error: receivedError(message.error) });
      task.onMessage(message);
      if (message.type === 'end') this.#end(thread, task);
    });
    const fail = (error: unknown) => {
      for (const task of [...thread.tasks.values()]) this.#end(thread, task, { error });
    };
    worker.on('error', fail);
    worker.on('exit', (code) => fail(new Error(`a thread that writes files ended with code ${code}`)));
    this.#threads.push(thread);
    return thread;
  }

  #end(thread: Thread, task: Task, failure?: { readonly error: unknown }): void {
    thread.tasks.delete(task.id);
    if (failure === undefined) task.resolve();
    else task.reject(failure.error);
  }
}

/** Whether it is read from a file, which keeps nobody waiting. */
function isNear({ streams }: ShardJob): boolean {
  return streams[0]?.form === 'car';
}

/** What changes hands without being copied. */
function transferred(job: ShardJob): ArrayBuffer[] {
  const columns = [job.carOffsets, job.fileOffsets, job.lengths, job.digests, job.firstUse];
  return [...columns, job.useNumber, job.useFile, job.useOffset, job.useFlags, job.files, job.directoryOf].map(
    ({ buffer }) => buffer as ArrayBuffer,
  );
}

export function receivedError({ message, code, isOurs, hint }: SentError): Error {
  if (isOurs) return new ShardctlError(code as ErrorCode, message, hint === undefined ? {} : { hint });
  return Object.assign(new Error(message), code === undefined ? {} : { code });
}
