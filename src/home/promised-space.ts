/**
 * What runs that work on one home at the same time put on its local peers, so that together they keep to the capacity of each. A run
 * counts what lies on a peer once, and what it puts there itself: this says what others are putting there, and when to count anew.
 *
 * Whoever is about to put a shard says so first, in a file of `lock/`, and then looks at the others' files: of two, the one that looks
 * later sees the other. The file goes when the shard is there, or its run has died. Each promise also adds a byte to `runs/space/PEER`,
 * by which others see that there was one, however short it was.
 */
import { appendFileSync, mkdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { errnoOf, HomeFailure, ioError, ShardctlError } from '../core/errors.ts';
import type { Lock, SharedLock } from './lock.ts';

/** What others do on a peer. */
export interface Others {
  /** Bytes that they are putting there: some of these may be there already. */
  readonly bytes: number;
  /** Whether what lies there may be more than this run knows, and has to be counted anew. True only once for each change. */
  readonly isNews: boolean;
}

export class PromisedSpace {
  readonly #lock: SharedLock;
  readonly #runs: string;
  readonly #seen = new Map<string, Seen>();

  /** @param runs directory of the records */
  constructor(lock: SharedLock, runs: string) {
    this.#lock = lock;
    this.#runs = runs;
  }

  /** Looks at what others do there. @throws HomeFailure */
  look(peer: string): Others {
    return ofHome(() => this.#look(peer));
  }

  /** Tells the others that so many bytes are about to be put there, until it is released. Call `look` after it. @throws HomeFailure */
  promise(peer: string, bytes: number): Lock {
    return ofHome(() => this.#promise(peer, bytes));
  }

  #look(peer: string): Others {
    const promises = this.#lock.promisesOf(peer);
    const seen = this.#seen.get(peer) ?? { own: 0, others: 0, files: new Set<string>() };
    const files = new Set(promises.map(({ file }) => file));
    const others = this.#promisedEver(peer) - seen.own;
    const isNews = others !== seen.others || [...seen.files].some((file) => !files.has(file));
    this.#seen.set(peer, { ...seen, others, files: isNews ? files : seen.files });
    return { bytes: promises.reduce((sum, { bytes }) => sum + bytes, 0), isNews };
  }

  #promise(peer: string, bytes: number): Lock {
    const promised = this.#lock.promise(peer, bytes);
    try {
      const path = this.#pathOf(peer);
      mkdirSync(dirname(path), { recursive: true });
      appendFileSync(path, '.');
    } catch (error) {
      promised.release();
      throw ioError(error, 'telling other runs of a shard', this.#pathOf(peer));
    }
    const seen = this.#seen.get(peer) ?? { own: 0, others: 0, files: new Set<string>() };
    this.#seen.set(peer, { ...seen, own: seen.own + 1 });
    return promised;
  }

  #promisedEver(peer: string): number {
    try {
      return statSync(this.#pathOf(peer)).size;
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return 0;
      throw ioError(error, 'looking at what other runs store', this.#pathOf(peer));
    }
  }

  #pathOf(peer: string): string {
    return join(this.#runs, 'space', peer);
  }
}

function ofHome<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw error instanceof ShardctlError ? new HomeFailure(error) : error;
  }
}

/** What a run has seen of a peer when it last counted what lies there. */
interface Seen {
  /** Promises of this run. */
  readonly own: number;
  /** Promises of others, ever. */
  readonly others: number;
  /** Those of others that were open: what they put there may not have been counted. */
  readonly files: ReadonlySet<string>;
}
