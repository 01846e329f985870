import { CidMap } from '../../../dag/cid-map.ts';
import type { ShardStore } from './shard-store.ts';
import { IN_MEMORY_MS } from './vanishing-files.ts';

/** Not by core/bounded-queue.ts: an update that finds nothing to do adds them up, too, and loads no p-queue. In memory so many take 0.05 ms, and 0.25 through Node's threads. */
const LOOKED_AT_ONCE = 16;

/** How shards are listed and looked at. */
export type Looked = Pick<ShardStore, 'list' | 'sizeOf' | 'sizeNow'>;

/**
 * Bytes that the shards of a local peer take: added up once, and kept up to date with what this process does. After a failure they are
 * added up anew: the disk may be back.
 *
 * For a process that changes shards what each takes is kept, and not only the sum: where other runs put shards there, too, all are added up
 * again while this process is putting one, and nobody could say afterwards whether that one was among them.
 */
export class UsedBytes {
  readonly #shards: Looked;
  #known: Promise<Known> | undefined;
  #keepsSizes = false;

  constructor(shards: Looked) {
    this.#shards = shards;
  }

  /** @param isAnew adds up again, as somebody else may have added something */
  async get(isAnew = false): Promise<number> {
    return (await this.#get(isAnew)).sum;
  }

  /** To be awaited before this process changes a shard: adds up again at the first time, as what each shard takes is not known yet. */
  async beforeChange(): Promise<void> {
    const isAnew = !this.#keepsSizes;
    this.#keepsSizes = true;
    await this.#get(isAnew);
  }

  /** Chained and not awaited, so that what is being added up at this moment has it, too. @param bytes that the shard takes now: 0 when it is gone */
  note(cid: string, bytes: number): void {
    const noted = this.#get(false).then((known) => {
      known.sum += bytes - (known.sizes?.get(cid) ?? 0);
      known.sizes?.set(cid, bytes);
      return known;
    });
    void this.#keep(noted);
  }

  #get(isAnew: boolean): Promise<Known> {
    return isAnew || this.#known === undefined ? this.#keep(this.#addUp()) : this.#known;
  }

  async #addUp(): Promise<Known> {
    const known: Known = { sizes: this.#keepsSizes ? new CidMap() : undefined, sum: 0 };
    const sizesOf = this.#looker();
    let waiting: string[] = [];
    const look = async () => {
      const sizes = await sizesOf(waiting);
      for (const [i, cid] of waiting.entries()) {
        known.sizes?.set(cid, sizes[i] ?? 0);
        known.sum += sizes[i] ?? 0;
      }
      waiting = [];
    };
    for await (const cid of this.#shards.list()) if (waiting.push(cid) === LOOKED_AT_ONCE) await look();
    await look();
    return known;
  }

  /** Asks for shards in the way that was the faster one the last time. */
  #looker(): (cids: readonly string[]) => Promise<(number | undefined)[]> {
    const shards = this.#shards;
    let isInMemory = true;
    return async (cids) => {
      const began = performance.now();
      const now = isInMemory ? cids.map((cid) => shards.sizeNow?.(cid)) : [];
      const sizes =
        now.length > 0 && !now.includes(undefined) ? now : await Promise.all(cids.map((cid, i) => now[i] ?? shards.sizeOf(cid)));
      isInMemory = performance.now() - began < IN_MEMORY_MS;
      return sizes;
    };
  }

  #keep(known: Promise<Known>): Promise<Known> {
    this.#known = known;
    known.catch(() => {
      if (this.#known === known) this.#known = undefined;
    });
    return known;
  }
}

interface Known {
  /** Undefined in a process that has changed nothing. */
  readonly sizes: CidMap | undefined;
  sum: number;
}
