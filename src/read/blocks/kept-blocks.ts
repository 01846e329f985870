/**
 * Small blocks, nodes of trees above all, that are kept for whoever comes to the same ones on several ways: what differs between two trees is
 * found by all that has changed, and then the same directories and files are looked up by their paths.
 */
import { LRUCache } from 'lru-cache';
import type { Blocks } from './block-source.ts';

/** Bytes of all blocks that are kept. */
const MOST_BYTES = 8 * 1024 * 1024;
/** A larger one is data of a file, or a directory of a thousand entries, which stays decoded elsewhere. */
const MOST_BLOCK_BYTES = 64 * 1024;

export class KeptBlocks implements Blocks {
  readonly #blocks: Blocks;
  readonly #kept = new LRUCache<string, Uint8Array>({ maxSize: MOST_BYTES, sizeCalculation: ({ length }) => length + 1 });

  constructor(blocks: Blocks) {
    this.#blocks = blocks;
  }

  async read(digest: Uint8Array): Promise<Uint8Array> {
    const key = Buffer.from(digest.buffer, digest.byteOffset, digest.length).toString('latin1');
    const kept = this.#kept.get(key);
    if (kept !== undefined) return kept;
    const block = await this.#blocks.read(digest);
    if (block.length <= MOST_BLOCK_BYTES) this.#kept.set(key, block);
    return block;
  }
}
