import type { ByteString } from '../core/model.ts';

/** The entries of a directory, sorted by the bytes of their names. */
export interface DirectoryLinks {
  readonly count: number;
  readonly names: readonly ByteString[];
  /** 33 bytes each: codec, digest. */
  readonly cids: Uint8Array;
  /** Bytes of the whole DAG behind each. */
  readonly dagSizes: Float64Array;
}
