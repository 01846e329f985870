/**
 * Every block that a home knows of: those that its shards list, the nodes of the shards' own files (manifests), and what is in the
 * catalogues of its snapshots.
 */
import { ShardctlError } from '../../core/errors.ts';
import type { Index } from '../../index/index.ts';
import type { BlockPlace, BlockSource, Blocks } from '../blocks/block-source.ts';
import { placedBlocks } from '../blocks/placed-blocks.ts';
import type { Replicas } from './replicas.ts';

/** A file that is open for reading by offset. */
export interface OpenFile {
  readonly fd: number;
  /** Keeps it open beyond this turn of the event loop, until `release`. */
  hold(): void;
  release(): void;
}

/**
 * Where a block's bytes lie in a file on this machine. Nobody has hashed them: if their hash is another, `StoredBlocks.read` gives the
 * block from wherever it is intact. The file stays open to the end of this turn of the event loop, and longer for whoever holds it.
 */
export interface Extent {
  readonly file: OpenFile;
  readonly at: number;
  readonly length: number;
}

/** The shard that has a block, and its peers. */
export interface StoredPlace extends BlockPlace {
  /** Number of the shard; undefined when it is a catalogue. */
  readonly shard?: number | undefined;
}

/** A shard as one CARv1, byte for byte as it was sealed. */
export interface ShardCar {
  readonly carBytes: number;
  /**
   * The bytes from `from` on and before `to`, in pieces of up to 4 MiB, each of whose blocks was hashed. A piece is valid until the next
   * one is asked for. @throws ShardctlError `DAMAGE` or `TOO_FEW_PEERS` when a block cannot be had intact from any peer
   */
  stream(from?: number, to?: number): AsyncIterable<Buffer>;
}

/** A block whose shard was removed, by a run that has put the block elsewhere or has dropped it: the index has to be opened again to see where. */
export class MovedBlock extends ShardctlError {
  constructor(what: string, cause?: unknown) {
    super('NOT_FOUND', `${what} was removed or moved meanwhile`, { retryable: true, cause });
  }
}

export interface StoredBlocksOptions {
  readonly index: Index;
  readonly replicas: Replicas;
}

export class StoredBlocks implements Blocks {
  readonly #options: StoredBlocksOptions;
  readonly #placed: BlockSource;

  constructor(options: StoredBlocksOptions) {
    this.#options = options;
    const { peers, onTrouble } = options.replicas.options;
    this.#placed = placedBlocks(options.index, peers, onTrouble === undefined ? {} : { onTrouble });
  }

  /**
   * The block, hashed. Throws `UnlistedBlock` when the home does not know it, `MovedBlock` when the index is not up to date any more,
   * `DAMAGE` or `TOO_FEW_PEERS` when no peer gives the block intact.
   */
  async read(digest: Uint8Array): Promise<Uint8Array> {
    return await this.#placed.read(digest);
  }

  /** Undefined when the home does not know the block. Reads no block. */
  async placeOf(digest: Uint8Array): Promise<StoredPlace | undefined> {
    const number = this.#options.index.shardOf(digest);
    return number === undefined ? undefined : this.#options.index.shard(number);
  }

  /** Bytes of the block; undefined when the home does not know it. */
  async sizeOf(digest: Uint8Array): Promise<number | undefined> {
    return (await this.placeOf(digest)) === undefined ? undefined : (await this.read(digest)).length;
  }

  /** Undefined when the block is on a remote peer, or in a layout of other files, or the home does not know it. */
  async extentOf(_digest: Uint8Array): Promise<Extent | undefined> {
    return undefined;
  }

  /** As `extentOf`, at once: undefined also when something must be opened first. */
  extentNow(_digest: Uint8Array): Extent | undefined {
    return undefined;
  }

  /** A whole shard or catalogue of this home by its CID, with everything in it; undefined when the home does not know it. */
  async carOf(_cid: string): Promise<ShardCar | undefined> {
    return undefined;
  }

  /** Lets go of what belongs to this index. The replicas stay open. */
  async close(): Promise<void> {
    await this.#placed.close();
  }
}
