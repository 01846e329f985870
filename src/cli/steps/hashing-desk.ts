/**
 * Which of several workers goes over the files of the mirror to hash them: one at a time. Each request for a sha256 may reach another
 * worker, and all of them would else read the same files side by side. The first process lets one after the other.
 */
import type { Worker } from 'node:cluster';
import process from 'node:process';
import type { HashingTurn } from '../../serve/hashes/hashing.ts';

type FromWorker = { readonly is: 'hashing-wanted' } | { readonly is: 'hashing-ended'; readonly done?: string };
type ToWorker = { readonly do: 'hash'; readonly done?: string };

/** In the first process. */
export class HashingDesk {
  readonly #waiting: Worker[] = [];
  #atWork: Worker | undefined;
  #done: string | undefined;

  add(worker: Pick<Worker, 'on' | 'once' | 'send'>): void {
    const own = worker as Worker;
    worker.on('message', (message: FromWorker) => {
      if (message.is === 'hashing-wanted') this.#waiting.push(own);
      else if (message.is === 'hashing-ended' && this.#atWork === own) {
        this.#done = message.done ?? this.#done;
        this.#atWork = undefined;
      }
      this.#next();
    });
    worker.once('exit', () => {
      if (this.#atWork === own) this.#atWork = undefined;
      this.#next();
    });
  }

  #next(): void {
    while (this.#atWork === undefined && this.#waiting.length > 0) {
      const next = this.#waiting.shift();
      if (next?.isConnected() !== true) continue;
      this.#atWork = next;
      next.send({ do: 'hash', ...(this.#done === undefined ? {} : { done: this.#done }) } satisfies ToWorker);
    }
  }
}

/** In a worker: waits for its turn. */
export function hashingTurns(): () => Promise<HashingTurn> {
  const send = (message: FromWorker) => void process.send?.(message);
  const waiting: ((done: string | undefined) => void)[] = [];
  process.on('message', (message: ToWorker) => {
    if (message.do === 'hash') waiting.shift()?.(message.done);
  });
  return async () => {
    const granted = new Promise<string | undefined>((resolve) => waiting.push(resolve));
    send({ is: 'hashing-wanted' });
    const done = await granted;
    return { done, end: (now) => send({ is: 'hashing-ended', ...(now === undefined ? {} : { done: now }) }) };
  };
}
