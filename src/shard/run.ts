/** Gathers blocks that are made on the main thread into a run: back-to-back CAR sections, as a shard holds them. */

import { RAW } from '../core/model.ts';
import { sha256 } from '../dag/cid.ts';
import type { Directory } from '../walk/directory.ts';
import { sectionHeaderBytes, writeSectionHeader } from './car.ts';

/** The files whose blocks a run has, as far as their last ones stand in it. */
export interface FinishedFiles {
  readonly directories: readonly Directory[];
  /** Positions in these directories. */
  readonly indexes: readonly number[];
  /** For each the offset in the run after its last block; ascending. */
  readonly ends: ArrayLike<number>;
}

/** A run on its way to a shard; call `release` when its bytes are not needed any more. */
export interface BlocksStep {
  readonly kind: 'blocks';
  readonly run: Buffer;
  /** Absent on blocks that are not those of files. */
  readonly finished?: FinishedFiles | undefined;
  release(): void;
}

/** A run that lies in memory of its own. */
export function ownBlocks(run: Buffer, finished?: FinishedFiles): BlocksStep {
  return { kind: 'blocks', run, finished, release: () => {} };
}

/** Blocks of a file that goes on in the next run. */
export const NONE_FINISHED: FinishedFiles = { directories: [], indexes: [], ends: [] };

/** The run ends with the last block of this file. */
export function lastBlocks(run: Buffer, directory: Directory, index: number): BlocksStep {
  return ownBlocks(run, { directories: [directory], indexes: [index], ends: [run.length] });
}

const FIRST_BYTES = 64 * 1024;

export class RunBuilder {
  #bytes = Buffer.allocUnsafe(FIRST_BYTES);
  #length = 0;

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

  /** The run so far; the builder starts anew with memory of its own. */
  take(): Buffer {
    const run = this.#bytes.subarray(0, this.#length);
    this.#bytes = Buffer.allocUnsafe(FIRST_BYTES);
    this.#length = 0;
    return run;
  }

  #reserve(bytes: number): void {
    if (this.#length + bytes <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#length + bytes));
    this.#bytes.copy(grown, 0, 0, this.#length);
    this.#bytes = grown;
  }
}
