/** Writes those parts of a file whose leaves did not come with the streams of their shards. */
import { closeSync } from 'node:fs';
import { ShardctlError } from '../core/errors.ts';
import type { ByteString } from '../core/model.ts';
import type { Blocks } from '../read/blocks/block-source.ts';
import type { Destination } from './destination.ts';
import { leafData } from './leaf-places.ts';
import { writeSparse } from './sparse-file.ts';
import { IS_RAW, type PlacedFile, type WantedFiles } from './wanted-files.ts';

export interface LateFile {
  readonly wanted: WantedFiles;
  readonly placed: PlacedFile;
  readonly path: ByteString;
  /** Number of its first use. */
  readonly first: number;
  /** By number of the use: 1 when that place is written. */
  readonly written: Uint8Array;
  readonly digestOf: (use: number) => Promise<Uint8Array>;
  readonly blocks: Blocks;
  readonly destination: Destination;
}

/** @returns how many bytes it has written @throws ShardctlError when a leaf cannot be had, or has another size than its place */
export async function writeLate({ wanted, placed, path, written, digestOf, blocks, destination, first }: LateFile): Promise<number> {
  const { made, size, uses, metadata } = placed;
  const end = first + uses;
  let bytes = 0;
  const leaf = async (use: number): Promise<Uint8Array> => {
    const block = await blocks.read(await digestOf(use));
    const data = ((wanted.useFlags[use] as number) & IS_RAW) === 0 ? leafData(block) : block;
    const from = wanted.useOffset[use] as number;
    const to = use + 1 < end ? (wanted.useOffset[use + 1] as number) : size;
    if (data?.length !== to - from)
      throw new ShardctlError('DAMAGE', `a leaf has ${data?.length ?? 'no'} bytes where its file says ${to - from}`);
    bytes += data.length;
    return data;
  };
  if (made === undefined) {
    destination.writeFile(path, await leaf(first), metadata);
    return bytes;
  }
  let fd: number | undefined = destination.openMade(made);
  try {
    for (let use = first; use < end; use++) if (written[use] === 0) writeSparse(fd, await leaf(use), wanted.useOffset[use] as number);
    const finished = fd;
    fd = undefined;
    destination.finishMade(finished, made, metadata);
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
  return bytes;
}
