/** What may be on peers although no snapshot needs it, by CID: noted before anything is put, dropped when the shard is recorded, removed by `prune`. */
import type { Database } from 'lmdb';
import type { PlacedShard, Stray } from '../../core/model.ts';

export class Strays {
  readonly #table: Database<readonly string[], string> | undefined;

  /** @param table absent in an index that an earlier version made, and that is only read now */
  constructor(table: Database<readonly string[], string> | undefined) {
    this.#table = table;
  }

  all(): Stray[] {
    return [...(this.#table?.getRange() ?? [])].map(({ key, value }) => ({ cid: key, peers: value }));
  }

  /** In a transaction, as all that follows. Adds peers to those that may hold it. */
  note({ cid, peers }: Stray): void {
    this.#put(cid, [...new Set([...this.#of(cid), ...peers])]);
  }

  /** It is on these peers no more; without `peers`, on none. */
  drop(cid: string, peers?: readonly string[]): void {
    this.#put(
      cid,
      this.#of(cid).filter((name) => peers?.includes(name) === false),
    );
  }

  /** What was announced is recorded now; a peer that is not among the holders may have a copy all the same. */
  recordHolders({ cid, peers }: Pick<PlacedShard, 'cid' | 'peers'>, formerHolders: readonly string[] = []): void {
    const others = new Set([...this.#of(cid), ...formerHolders]);
    this.#put(
      cid,
      [...others].filter((name) => !peers.includes(name)),
    );
  }

  #of(cid: string): readonly string[] {
    return this.#table?.get(cid) ?? [];
  }

  #put(cid: string, peers: readonly string[]): void {
    if (peers.length > 0) void this.#table?.put(cid, peers);
    else void this.#table?.remove(cid);
  }
}
