/**
 * Every block that a home knows of: those that its shards list, the nodes of the shards' own files (manifests), and what is in the
 * catalogues of its snapshots.
 */
import type { Index } from '../../index/index.ts';
import type { Peer } from '../../peer/peer.ts';
import type { BlockPlace, BlockSource, Blocks } from '../blocks/block-source.ts';
import { placedBlocks } from '../blocks/placed-blocks.ts';

/** Where a block's bytes lie in a file on this machine. Nobody has hashed them yet. */
export interface Extent {
  readonly fd: number;
  readonly at: number;
  readonly length: number;
}

export interface StoredBlocksOptions {
  readonly index: Index;
  readonly peers: ReadonlyMap<string, Peer>;
  readonly onTrouble?: (message: string, cause: string) => void;
}

export class StoredBlocks implements Blocks {
  readonly #options: StoredBlocksOptions;
  readonly #placed: BlockSource;

  constructor(options: StoredBlocksOptions) {
    this.#options = options;
    this.#placed = placedBlocks(options.index, options.peers, options.onTrouble === undefined ? {} : { onTrouble: options.onTrouble });
  }

  /** The block, hashed. Throws `UnlistedBlock` when the home does not know it, `DAMAGE` or `TOO_FEW_PEERS` when no peer gives it intact. */
  async read(digest: Uint8Array): Promise<Uint8Array> {
    return await this.#placed.read(digest);
  }

  /** The shard that has the block, and its peers; undefined when the home does not know the block. Reads no block. */
  async placeOf(digest: Uint8Array): Promise<BlockPlace | undefined> {
    const number = this.#options.index.shardOf(digest);
    return number === undefined ? undefined : this.#options.index.shard(number);
  }

  /** Bytes of the block; undefined when the home does not know it. */
  async sizeOf(digest: Uint8Array): Promise<number | undefined> {
    return (await this.placeOf(digest)) === undefined ? undefined : (await this.read(digest)).length;
  }

  /** Where the block lies in a file on this machine; undefined when it is on a remote peer, or in a layout of other files. */
  async extentOf(_digest: Uint8Array): Promise<Extent | undefined> {
    return undefined;
  }

  async close(): Promise<void> {
    await this.#placed.close();
  }
}
