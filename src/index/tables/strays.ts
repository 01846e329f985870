/**
 * The table of strays: by CID, the peers that may hold a shard or catalogue that no snapshot needs there. A peer is noted before anything
 * is put on it, taken off when a record names it as a holder, and also when `prune` has removed the stray from it.
 */
import type { Database } from 'lmdb';
import type { PlacedShard, Stray } from '../../core/model.ts';

export class Strays {
  readonly #table: Database<readonly string[], string> | undefined;

  /** @param table undefined in an index that an earlier version made and that is only read now */
  constructor(table: Database<readonly string[], string> | undefined) {
    this.#table = table;
  }

  all(): Stray[] {
    return [...(this.#table?.getRange() ?? [])].map(({ key, value }) => ({ cid: key, peers: value }));
  }

  /** Adds peers to those that may hold it. Within a transaction, as are the methods below. */
  note({ cid, peers }: Stray): void {
    this.#put(cid, [...new Set([...this.#of(cid), ...peers])]);
  }

  /** Notes that it is not on these peers any more; without `peers`, that it is on none. */
  drop(cid: string, peers?: readonly string[]): void {
    this.#put(
      cid,
      this.#of(cid).filter((name) => peers?.includes(name) === false),
    );
  }

  /** A record names these `peers` as holders now. Those noted before, and `formerHolders`, may still have a copy unless they are among them. */
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
