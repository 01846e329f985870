import type { ShardStore } from './shard-store.ts';

/**
 * One after the other, half a million shards take five times as long, most of it waiting for a thread. Not by core/bounded-queue.ts: an
 * update that finds nothing to do adds them up, too, and loads no p-queue.
 */
const LOOKED_AT_ONCE = 16;

/**
 * Bytes that the shards of a local peer take: added up once, and kept up to date with what this process does. After a failure they are
 * added up anew: the disk may be back.
 *
 * What each shard takes is kept, and not only the sum: where other runs put shards there, too, all are added up again while this process
 * is putting one, and nobody could say afterwards whether that one was among them.
 */
export class UsedBytes {
  readonly #shards: Pick<ShardStore, 'list' | 'sizeOf'>;
  #known: Promise<Known> | undefined;

  constructor(shards: Pick<ShardStore, 'list' | 'sizeOf'>) {
    this.#shards = shards;
  }

  /** @param isAnew adds up again, as somebody else may have added something */
  async get(isAnew = false): Promise<number> {
    return (await this.#get(isAnew)).sum;
  }

  /** Chained and not awaited, so that what is being added up at this moment has it, too. @param bytes that the shard takes now: 0 when it is gone */
  note(cid: string, bytes: number): void {
    const noted = this.#get(false).then((known) => {
      known.sum += bytes - (known.sizes.get(cid) ?? 0);
      if (bytes === 0) known.sizes.delete(cid);
      else known.sizes.set(cid, bytes);
      return known;
    });
    void this.#keep(noted);
  }

  #get(isAnew: boolean): Promise<Known> {
    return isAnew || this.#known === undefined ? this.#keep(this.#addUp()) : this.#known;
  }

  async #addUp(): Promise<Known> {
    const known: Known = { sizes: new Map(), sum: 0 };
    let waiting: string[] = [];
    const look = async () => {
      const sizes = await Promise.all(waiting.map((cid) => this.#shards.sizeOf(cid)));
      for (const [i, cid] of waiting.entries()) {
        known.sizes.set(cid, sizes[i] ?? 0);
        known.sum += sizes[i] ?? 0;
      }
      waiting = [];
    };
    for await (const cid of this.#shards.list()) if (waiting.push(cid) === LOOKED_AT_ONCE) await look();
    await look();
    return known;
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
  readonly sizes: Map<string, number>;
  sum: number;
}
