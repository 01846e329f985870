/** Batches: blocks back to back in memory, each in a CAR section, as a shard's CAR holds them. A batch is packed with one write. */
import { RAW } from '../core/model.ts';
import { sha256 } from '../dag/cid.ts';
import type { Directory } from '../walk/directory.ts';
import { sectionHeaderBytes, writeSectionHeader } from './car.ts';

/** The files whose last block stands in a batch. */
export interface FinishedFiles {
  readonly directories: readonly Directory[];
  /** For each file its position in its directory. */
  readonly indexes: readonly number[];
  /** For each file the offset in the batch after its last block; ascending. */
  readonly ends: ArrayLike<number>;
}

/** A batch on its way to a shard. Whoever packs it calls `release` when its bytes are not needed any more. */
export interface BlockBatch {
  readonly kind: 'blocks';
  readonly batch: Buffer;
  /** Absent where the blocks are not those of files. */
  readonly finished?: FinishedFiles | undefined;
  release(): void;
}

/** A batch that lies in memory of its own. */
export function ownBlocks(batch: Buffer, finished?: FinishedFiles): BlockBatch {
  return { kind: 'blocks', batch, finished, release: () => {} };
}

/** Says that a batch holds blocks of a file, and the last one of none. */
export const NONE_FINISHED: FinishedFiles = { directories: [], indexes: [], ends: [] };

/** A batch that ends with the last block of this file. */
export function lastBlocks(batch: Buffer, directory: Directory, index: number): BlockBatch {
  return ownBlocks(batch, { directories: [directory], indexes: [index], ends: [batch.length] });
}

const FIRST_BYTES = 64 * 1024;
/** Memory of a batch that had grown larger, as for a directory of a million entries, is not kept for the next one. */
const MOST_SPARE_BYTES = 512 * 1024;

/** Gathers blocks that are made on the main thread into a batch. */
export class BatchBuilder {
  #bytes = Buffer.allocUnsafe(FIRST_BYTES);
  #length = 0;
  /** Memory of a batch that was released, for the next one. */
  #spare: Buffer<ArrayBuffer> | undefined;

  get length(): number {
    return this.#length;
  }

  /** Appends a block and returns its digest. */
  readonly add = (block: Buffer): Uint8Array => {
    const digest = sha256(block);
    this.#reserve(sectionHeaderBytes(block.length) + block.length);
    const at = writeSectionHeader(this.#bytes, this.#length, RAW, digest, 0, block.length);
    block.copy(this.#bytes, at);
    this.#length = at + block.length;
    return digest;
  };

  /** The batch so far; the builder starts anew with memory of its own. */
  take(): Buffer {
    const batch = this.#bytes.subarray(0, this.#length);
    this.#bytes = Buffer.allocUnsafe(FIRST_BYTES);
    this.#length = 0;
    return batch;
  }

  /** As `take`, of blocks that are not those of files; the memory is used again when the batch is released. */
  takeBatch(): BlockBatch {
    const bytes = this.#bytes;
    const batch = bytes.subarray(0, this.#length);
    this.#bytes = this.#spare ?? Buffer.allocUnsafeSlow(FIRST_BYTES);
    this.#spare = undefined;
    this.#length = 0;
    const release = () => {
      if (bytes.length <= MOST_SPARE_BYTES) this.#spare = bytes;
    };
    return { kind: 'blocks', batch, release };
  }

  #reserve(bytes: number): void {
    if (this.#length + bytes <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#length + bytes));
    this.#bytes.copy(grown, 0, 0, this.#length);
    this.#bytes = grown;
  }
}
