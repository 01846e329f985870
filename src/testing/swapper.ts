/** For tests: a thread that exchanges a directory for a symlink and puts it back, over and over, as somebody who may write there could. */
import { renameSync, symlinkSync, unlinkSync } from 'node:fs';
import { isMainThread, Worker, workerData } from 'node:worker_threads';

export interface Swap {
  readonly directory: string;
  /** Where the symlink leads that stands in its place for a moment. */
  readonly elsewhere: string;
}

/** @returns how to end it: the directory is in its place then */
export async function keepSwapping(swap: Swap): Promise<() => Promise<void>> {
  const stop = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(new URL(import.meta.url), { workerData: { ...swap, stop } });
  const ended = new Promise((resolve) => worker.once('exit', resolve));
  await new Promise((resolve) => worker.once('online', resolve));
  return async () => {
    Atomics.store(stop, 0, 1);
    await ended;
  };
}

/** Now and then for long enough that somebody comes all the way through the symlink. */
const MOST_MS = 20;

if (!isMainThread) {
  const { directory, elsewhere, stop } = workerData as Swap & { readonly stop: Int32Array };
  const pause = () => Math.random() < 0.6 && Atomics.wait(stop, 0, 0, Math.random() * MOST_MS);
  while (Atomics.load(stop, 0) === 0) {
    renameSync(directory, `${directory}.away`);
    symlinkSync(elsewhere, directory);
    pause();
    unlinkSync(directory);
    renameSync(`${directory}.away`, directory);
    pause();
  }
}
