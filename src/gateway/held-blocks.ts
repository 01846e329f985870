/** Blocks of gateways, a few of which are asked for before they are needed, all at once, and held: each question waits for the line once. */
import type { BlockId } from '../core/model.ts';
import type { Gateways } from './gateways.ts';

export class HeldBlocks {
  readonly #gateways: Gateways;
  readonly #held = new Map<string, Promise<Buffer>>();

  constructor(gateways: Gateways) {
    this.#gateways = gateways;
  }

  /** Asks for these blocks now. They are held for as long as this object is. */
  hold(ids: readonly BlockId[]): void {
    for (const id of ids) {
      const key = keyOf(id.digest);
      if (this.#held.has(key)) continue;
      const block = this.#gateways.block(id);
      // A failure reaches whoever reads the block.
      block.catch(() => {});
      this.#held.set(key, block);
    }
  }

  /** @throws ShardctlError `TOO_FEW_PEERS` when no gateway gives it */
  async read(digest: Uint8Array): Promise<Buffer> {
    return await (this.#held.get(keyOf(digest)) ?? this.#gateways.read(digest));
  }
}

function keyOf(digest: Uint8Array): string {
  return Buffer.from(digest.buffer, digest.byteOffset, digest.length).toString('latin1');
}
