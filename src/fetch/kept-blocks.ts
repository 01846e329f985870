/** Blocks that are read twice by one run: first to count what `--delete` would delete, then to bring what is lacking. */
import type { Blocks } from '../read/blocks/block-source.ts';

const MOST_HELD_BYTES = 64 * 1024 * 1024;

/** Blocks that are held once they were read, up to a bound. */
export class KeptBlocks implements Blocks {
  readonly readAlone: Blocks['readAlone'];
  readonly #blocks: Blocks;
  readonly #kept = new Map<string, Uint8Array>();
  #bytes = 0;

  constructor(blocks: Blocks) {
    this.#blocks = blocks;
    if (blocks.readAlone !== undefined)
      this.readAlone = async (digest) => this.#keptOf(digest) ?? (await blocks.readAlone?.(digest)) ?? (await this.read(digest));
  }

  /** From here on nothing more is held. */
  close(): void {
    this.#bytes = MOST_HELD_BYTES;
  }

  async read(digest: Uint8Array): Promise<Uint8Array> {
    const kept = this.#keptOf(digest);
    if (kept !== undefined) return kept;
    const block = await this.#blocks.read(digest);
    this.#bytes += block.length;
    if (this.#bytes < MOST_HELD_BYTES) this.#kept.set(keyOf(digest), Uint8Array.from(block));
    return block;
  }

  #keptOf(digest: Uint8Array): Uint8Array | undefined {
    return this.#kept.get(keyOf(digest));
  }
}

function keyOf(digest: Uint8Array): string {
  return Buffer.from(digest.buffer, digest.byteOffset, digest.length).toString('latin1');
}
