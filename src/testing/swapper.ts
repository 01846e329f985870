/** For tests: a thread that exchanges a directory for a symlink and puts it back, over and over, as somebody who may write there could. */
import { renameSync, rmSync, symlinkSync } from 'node:fs';
import { isMainThread, Worker, workerData } from 'node:worker_threads';

export interface Swap {
  readonly directory: string;
  /** Where the symlink leads that stands in its place for a moment. */
  readonly elsewhere: string;
  /** How long it may stay as it is before the next exchange. The longer, the more can go through the symlink; 0: as many exchanges as there can be. */
  readonly mostMs?: number;
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
const USUAL_MS = 20;

function attempt(work: () => void): boolean {
  try {
    work();
    return true;
  } catch {
    return false;
  }
}

if (!isMainThread) {
  const { directory, elsewhere, mostMs = USUAL_MS, stop } = workerData as Swap & { readonly stop: Int32Array };
  const pause = () => mostMs > 0 && Math.random() < 0.6 && Atomics.wait(stop, 0, 0, Math.random() * mostMs);
  const away = `${directory}.away`;
  while (Atomics.load(stop, 0) === 0) {
    renameSync(directory, away);
    // Whoever is tested may make a directory of that name meanwhile, and something in it.
    attempt(() => symlinkSync(elsewhere, directory));
    pause();
    while (!attempt(() => rmSync(directory, { recursive: true, force: true })) || !attempt(() => renameSync(away, directory)));
    pause();
  }
}
