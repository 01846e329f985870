import type { ByteString, Codec } from '../core/model.ts';
import { CID_COLUMN_BYTES } from '../walk/directory.ts';

/** The entries of a directory, sorted by the bytes of their names, in columns of `count` rows. */
export interface DirectoryLinks {
  readonly count: number;
  readonly names: readonly ByteString[];
  /** Codec and digest of each, 33 bytes: see `CID_COLUMN_BYTES`. */
  readonly cids: Uint8Array;
  /** Bytes of the whole DAG below each. */
  readonly dagSizes: Float64Array;
}

// One accessor for each column: a row below `count` is in all of them.

export function nameAt({ names }: DirectoryLinks, row: number): ByteString {
  return names[row] as ByteString;
}

export function codecAt({ cids }: DirectoryLinks, row: number): Codec {
  return cids[row * CID_COLUMN_BYTES] as Codec;
}

export function dagSizeAt({ dagSizes }: DirectoryLinks, row: number): number {
  return dagSizes[row] as number;
}
