/** Keeps the CARs of a file open while it is read: another run may remove them meanwhile, and what is open stays readable. */
import type { OpenFile } from '../stored/stored-blocks.ts';
import { type FileBlocks, type FileToRead, leavesOf } from './file-leaves.ts';

/** 8 GiB in shards of the usual size. Each takes a descriptor or two, which all who read the shard share. */
const MOST_FILES = 64;
/** So many leaves are looked up, which takes about 50 ms: a stranger's file may link the same few without end. */
const MOST_LEAVES = 16_384;

/** Holds the CARs on this machine that have the bytes from `from` on and before `to`. @returns lets go of them */
export async function holdFiles(file: FileToRead, from: number, to: number, blocks: FileBlocks): Promise<() => void> {
  const held = new Set<OpenFile>();
  let leaves = 0;
  try {
    for await (const part of leavesOf(file, from, to, blocks)) {
      if ('data' in part) continue;
      const extent = blocks.extentNow(part.leaf.digest) ?? (await blocks.extentOf(part.leaf.digest));
      if (extent !== undefined && !held.has(extent.file)) {
        extent.file.hold();
        held.add(extent.file);
      }
      if (++leaves === MOST_LEAVES || held.size === MOST_FILES) break;
    }
  } catch {
    // Whoever reads it is told what is wrong.
  }
  return () => {
    for (const open of held) open.release();
    held.clear();
  };
}
