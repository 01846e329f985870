/**
 * Reads blocks that a walk will need soon, several at once: a daemon or a gateway is far away, and a tree has a thousand directories. Each is
 * asked for by itself, because the blocks beside it will come with the stream of its shard.
 */

import { sameDigest } from '../dag/cid.ts';
import type { Blocks } from '../read/blocks/block-source.ts';

/** Requests under way at once. */
const MOST_RUNNING = 8;
/** Blocks that are held until they are asked for, those under way included. */
const MOST_HELD = 24;

export class BlocksAhead implements Blocks {
  readonly #blocks: Blocks;
  /** What will be needed next comes last. */
  readonly #queue: Uint8Array[] = [];
  readonly #held = new Map<string, Promise<Uint8Array>>();
  #running = 0;

  constructor(blocks: Blocks) {
    this.#blocks = blocks;
  }

  /** These blocks will be read, in this order, and before those that were named earlier. */
  expect(digests: readonly Uint8Array[]): void {
    for (const digest of digests.toReversed()) this.#queue.push(digest);
    this.#fill();
  }

  async read(digest: Uint8Array): Promise<Uint8Array> {
    const key = keyOf(digest);
    const held = this.#held.get(key);
    this.#held.delete(key);
    const next = this.#queue.at(-1);
    if (held === undefined && next !== undefined && sameDigest(next, digest)) this.#queue.pop();
    try {
      return await (held ?? this.#readAlone(digest));
    } finally {
      this.#fill();
    }
  }

  #fill(): void {
    while (this.#running < MOST_RUNNING && this.#held.size < MOST_HELD) {
      const digest = this.#queue.pop();
      if (digest === undefined) return;
      const key = keyOf(digest);
      if (this.#held.has(key)) continue;
      this.#running++;
      const read = this.#readAlone(digest).finally(() => {
        this.#running--;
        this.#fill();
      });
      // A failure reaches whoever reads the block.
      read.catch(() => {});
      this.#held.set(key, read);
    }
  }

  #readAlone(digest: Uint8Array): Promise<Uint8Array> {
    return this.#blocks.readAlone?.(digest) ?? this.#blocks.read(digest);
  }
}

function keyOf(digest: Uint8Array): string {
  return Buffer.from(digest.buffer, digest.byteOffset, digest.length).toString('latin1');
}
