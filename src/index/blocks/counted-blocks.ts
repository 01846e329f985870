/** Which blocks count as stored: those of placed shards, except those that are known to be lost. */
import { DIGEST_BYTES, type ShardRecord } from '../../core/model.ts';

const NONE: ReadonlySet<string> = new Set();

export class CountedBlocks {
  readonly #recordOf: (shard: number) => ShardRecord | undefined;
  /** Shard → digests in hex of its blocks that do not count; `undefined` where none of them does. */
  readonly #bad = new Map<number, ReadonlySet<string> | undefined>();

  /**
   * @param recordOf is asked for each shard once, when one of its blocks is first looked for: whoever reads one file of a home with half
   * a million shards should not wait for the records of all of them
   */
  constructor(recordOf: (shard: number) => ShardRecord | undefined) {
    this.#recordOf = recordOf;
  }

  /** Adds a shard that is placed now, and whole. */
  add(shard: number): void {
    this.#bad.set(shard, NONE);
  }

  /** Whether the block whose digest stands at `at` counts as stored in this shard, provided that the block table lists it there. */
  isIn(shard: number, digest: Uint8Array, at: number): boolean {
    const bad = this.#badOf(shard);
    return bad !== undefined && (bad.size === 0 || !bad.has(Buffer.from(digest.subarray(at, at + DIGEST_BYTES)).toString('hex')));
  }

  #badOf(shard: number): ReadonlySet<string> | undefined {
    const known = this.#bad.get(shard);
    if (known !== undefined || this.#bad.has(shard)) return known;
    const record = this.#recordOf(shard);
    const counts = record?.state === 'placed' || record?.state === 'committed';
    const bad = counts ? (record.bad === undefined ? NONE : new Set(record.bad)) : undefined;
    this.#bad.set(shard, bad);
    return bad;
  }
}
