/** What may be on peers although no snapshot needs it, by CID: noted before anything is put, settled by the record of it, removed by `prune`. */
import type { Database } from 'lmdb';
import type { PlacedShard, Stray } from '../model.ts';

export class Strays {
  readonly #table: Database<readonly string[], string> | undefined;

  /** @param table absent in an index that an earlier version made, and that is only read now */
  constructor(table: Database<readonly string[], string> | undefined) {
    this.#table = table;
  }

  all(): Stray[] {
    return [...(this.#table?.getRange() ?? [])].map(({ key, value }) => ({ cid: key, peers: value }));
  }

  /** Adds peers to those that may hold it; durable when it resolves. */
  async note({ cid, peers }: Stray): Promise<void> {
    await this.#put(cid, [...new Set([...this.#of(cid), ...peers])]);
  }

  /** It is on these peers no more; without `peers`, on none. */
  async drop(cid: string, peers?: readonly string[]): Promise<void> {
    await this.#put(
      cid,
      this.#of(cid).filter((name) => peers?.includes(name) === false),
    );
  }

  /** In a transaction: what was announced is recorded now; a peer that is not among the holders may have a copy all the same. */
  settle({ cid, peers }: Pick<PlacedShard, 'cid' | 'peers'>, formerHolders: readonly string[] = []): void {
    const others = new Set([...this.#of(cid), ...formerHolders]);
    void this.#put(
      cid,
      [...others].filter((name) => !peers.includes(name)),
    );
  }

  #of(cid: string): readonly string[] {
    return this.#table?.get(cid) ?? [];
  }

  async #put(cid: string, peers: readonly string[]): Promise<void> {
    if (peers.length > 0) await this.#table?.put(cid, peers);
    else await this.#table?.remove(cid);
  }
}
