/**
 * The blocks that a run has made itself: the gate looks at the new directories, files and indexes at once, and would open for them the shard
 * that was placed a moment ago. To judge an update of 50 packages took 97 ms of processor time so, and 72 with these (medians of eight pairs).
 * Holds: copies of the blocks, up to a bound; beyond it of small ones alone, up to the same.
 */
import { DIGEST_BYTES } from '../core/model.ts';
import type { Blocks } from '../read/blocks/block-source.ts';
import type { BlockBatch } from '../shard/batch.ts';
import { SectionCursor } from '../shard/car.ts';

/** Whoever makes more works for so long that to open a shard is little beside it. */
const MOST_BYTES = 4 * 1024 * 1024;
/** Nodes of files, of directories with some dozen entries, and a `Release`: a larger block is mostly a part of a package. */
const SMALL_BYTES = 4 * 1024;

export class FreshBlocks {
  readonly #most: number;
  readonly #small = new Map<string, Buffer>();
  #large: Map<string, Buffer> | undefined = new Map();
  /** Bytes of the small ones, and of all. */
  #smallBytes = 0;
  #bytes = 0;

  constructor(most = MOST_BYTES) {
    this.#most = most;
  }

  /** To be told of each batch before it is packed. */
  note({ batch }: BlockBatch): void {
    if (this.#smallBytes >= this.#most) return;
    const cursor = new SectionCursor(batch);
    while (cursor.next()) {
      const length = cursor.end - cursor.dataAt;
      this.#bytes += length;
      if (this.#bytes > this.#most) this.#large = undefined;
      if (length <= SMALL_BYTES) this.#smallBytes += length;
      if (this.#smallBytes > this.#most) return;
      const kept = length <= SMALL_BYTES ? this.#small : this.#large;
      kept?.set(keyOf(batch, cursor.digestAt), Buffer.from(batch.subarray(cursor.dataAt, cursor.end)));
    }
  }

  /** Reads these, and any other block from `stored`. */
  before(stored: Blocks): Blocks {
    return {
      read: async (digest) => {
        const key = keyOf(digest, 0);
        return this.#small.get(key) ?? this.#large?.get(key) ?? (await stored.read(digest));
      },
    };
  }
}

function keyOf({ buffer, byteOffset }: Uint8Array, at: number): string {
  return Buffer.from(buffer, byteOffset + at, DIGEST_BYTES).toString('latin1');
}
