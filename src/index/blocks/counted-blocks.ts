/** Which blocks count as stored: those of placed shards, except those that are known to be lost. */
import { DIGEST_BYTES, type ShardRecord } from '../../core/model.ts';

const NONE: ReadonlySet<string> = new Set();

export class CountedBlocks {
  /** Shard → digests in hex of its blocks that do not count. */
  readonly #bad: Map<number, ReadonlySet<string>>;

  constructor(shards: Iterable<ShardRecord>) {
    const placed = [...shards].filter(({ state }) => state === 'placed' || state === 'committed');
    this.#bad = new Map(placed.map(({ number, bad }) => [number, bad === undefined ? NONE : new Set(bad)]));
  }

  /** Adds a shard that is placed now, and whole. */
  add(shard: number): void {
    this.#bad.set(shard, NONE);
  }

  /** Whether the block whose digest stands at `at` counts as stored in this shard, provided that the block table lists it there. */
  isIn(shard: number, digest: Uint8Array, at: number): boolean {
    const bad = this.#bad.get(shard);
    return bad !== undefined && (bad.size === 0 || !bad.has(Buffer.from(digest.subarray(at, at + DIGEST_BYTES)).toString('hex')));
  }
}
