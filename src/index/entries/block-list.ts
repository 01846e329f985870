/**
 * Where the blocks of a hot part begin, and which directory comes first in each: with that, a directory is found without reading the
 * others. It can be made again from the hot part, so a list that is missing or wrong costs one reading of that.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import type { ByteString } from '../../core/model.ts';
import { type HotFile, pathAt } from './hot-file.ts';

export interface HotBlock {
  readonly offset: number;
  /** Position in walk order of its first directory. */
  readonly ordinal: number;
  /** Path of its first directory. */
  readonly path: ByteString;
}

/** Written beside a hot part, as JSON: the pair of its header, a checksum, and for each block `[offset, ordinal, path]`. */
export function writeBlockList(path: string, pair: bigint, blocks: readonly HotBlock[]): void {
  const list = JSON.stringify(blocks.map((block) => [block.offset, block.ordinal, block.path]));
  writeFileSync(path, `${pair} ${crc32(list)} ${list}`);
}

/** @param path of the list @throws EntriesDamaged when there is no list of this hot part, and a block of that is damaged */
export function blocksOf(path: string, hot: HotFile): HotBlock[] {
  return readBlockList(path, hot.header.pair) ?? scanned(hot);
}

function readBlockList(path: string, pair: bigint): HotBlock[] | undefined {
  try {
    const [, of, checksum, list = ''] = /^(\d+) (\d+) (.*)$/s.exec(readFileSync(path, 'utf8')) ?? [];
    if (of !== String(pair) || checksum !== String(crc32(list))) return undefined;
    const blocks = JSON.parse(list) as [number, number, ByteString][];
    return blocks.map(([offset, ordinal, first]) => ({ offset, ordinal, path: first }));
  } catch {
    return undefined;
  }
}

function scanned(hot: HotFile): HotBlock[] {
  const blocks: HotBlock[] = [];
  let memory = new ArrayBuffer(0);
  let ordinal = 0;
  for (const offset of hot.offsets()) {
    const block = hot.block(offset, memory);
    const { payload } = block;
    memory = block.memory;
    blocks.push({ offset, ordinal, path: pathAt(payload, 0) });
    for (let at = 0; at < payload.length; at = hot.endOf(payload, at)) ordinal++;
  }
  return blocks;
}
