/**
 * The bytes of a file, or of a range of it, in windows: leaves that lie one behind the other in a CAR on this machine, as they do when a
 * file was imported at once, are read together, up to 4 MiB. Each leaf is hashed before it is given out, and one that is not what it
 * should be is read again from wherever it is intact.
 *
 * The first window is one leaf, and each that is asked for doubles the size of the next: a client that reads slowly costs little.
 * Holds two windows: from the second on, the next one is being read while the caller has the one before.
 */
import { read } from 'node:fs';
import { promisify } from 'node:util';
import { ShardctlError } from '../../core/errors.ts';
import type { BlockId } from '../../core/model.ts';
import { cidText, sha256 } from '../../dag/cid.ts';
import type { Extent, OpenFile } from '../stored/stored-blocks.ts';
import { assertSize } from '../tree/file-data.ts';
import { type FileBlocks, type FileToRead, type LeafPart, leavesOf } from './file-leaves.ts';
import { holdFiles } from './held-files.ts';
import { WindowBuffers } from './window-buffers.ts';

/** Bytes that follow one another in the file. Valid until the next window is asked for. */
export type Window = readonly Uint8Array[];

export const MOST_WINDOW_BYTES = 4 * 1024 * 1024;
/** Between two leaves of a CAR stand the length and the CID of the second: 37 to 40 bytes. What is farther apart is read apart. */
const MOST_GAP_BYTES = 64;

const readAsync = promisify(read);
const buffers = new WindowBuffers(MOST_WINDOW_BYTES);

/**
 * Bytes from `from` on and before `to`, which must lie in the file.
 * @throws ShardctlError `DAMAGE` or `TOO_FEW_PEERS` at the first window that has a leaf which cannot be had intact; BoundlessTree
 */
export async function* fileBytes(file: FileToRead, from: number, to: number, blocks: FileBlocks): AsyncGenerator<Window, void, void> {
  const spare: Buffer[] = [];
  let ahead: Promise<readonly [Window, Buffer | undefined]> | undefined;
  let isFinished = false;
  let letGo = () => {};
  const rows = rowsOf(file, from, to, blocks);
  try {
    let at = from;
    for (let isFirst = true; ; isFirst = false) {
      ahead ??= nextWindow(rows, blocks, spare);
      const [window, buffer] = await ahead;
      ahead = undefined;
      if (window.length === 0) break;
      for (const part of window) at += part.length;
      if (at > to) throw new ShardctlError('DAMAGE', `${cidText(file, 1)} has more bytes than it says`);
      if (at < to && !isFirst) {
        ahead = nextWindow(rows, blocks, spare);
        // Told of when the next window is asked for; until then nobody listens.
        ahead.catch(() => {});
      }
      yield window;
      if (buffer !== undefined) spare.push(buffer);
      if (at === to) break;
      // After the first window, which somebody waits for. Most files have no second one.
      if (isFirst) letGo = await holdFiles(file, at, to, blocks);
    }
    if (at < to) throw new ShardctlError('DAMAGE', `${cidText(file, 1)} has fewer bytes than it says`);
    isFinished = true;
  } finally {
    const last = await ahead?.catch(() => undefined);
    await rows.return();
    letGo();
    // Who stops in the middle may still be sending what he has: that buffer is nobody's any more.
    if (isFinished) for (const buffer of spare) buffers.give(buffer);
    if (last?.[1] !== undefined) buffers.give(last[1]);
  }
}

/** Leaves that are read at once: in a file, one behind the other; or bytes that are there already. */
type Row = { readonly file: OpenFile; readonly at: number; readonly length: number; readonly leaves: readonly PlacedLeaf[] } | Window;

interface PlacedLeaf extends LeafPart {
  readonly extent: Extent;
}

/** The next window, in a buffer that must be spared until the window is not needed any more. */
async function nextWindow(
  rows: AsyncGenerator<Row, void, void>,
  blocks: FileBlocks,
  spare: Buffer[],
): Promise<readonly [Window, Buffer | undefined]> {
  const { value: row } = await rows.next();
  if (row === undefined) return [[], undefined];
  if (!('leaves' in row)) return [row, undefined];
  const { file, at, length, leaves } = row;
  const buffer = bufferOf(length, spare);
  const bytesRead = await readFully(file, buffer.subarray(0, length), at).finally(() => file.release());
  const window: Uint8Array[] = [];
  for (const { leaf, size, from, to, extent } of leaves) {
    const begin = extent.at - at;
    const block = buffer.subarray(begin, Math.min(begin + extent.length, bytesRead));
    const isIntact = block.length === extent.length && (size ?? block.length) === block.length && isBlock(leaf, block);
    window.push((isIntact ? block : await intact(leaf, size, blocks)).subarray(from, to));
  }
  return [window, buffer];
}

/** A spare one that is large enough, or a new one. */
function bufferOf(length: number, spare: Buffer[]): Buffer {
  const last = spare.pop();
  if (last === undefined) return buffers.take(length);
  if (last.length >= length) return last;
  buffers.give(last);
  return buffers.take(length);
}

/** @returns how many bytes there were; fewer when the file was cut, or cannot be read: its leaves are then had from elsewhere */
async function readFully({ fd }: OpenFile, buffer: Buffer, at: number): Promise<number> {
  let filled = 0;
  try {
    while (filled < buffer.length) {
      const { bytesRead } = await readAsync(fd, buffer, filled, buffer.length - filled, at + filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
  } catch {
    // A sector that cannot be read: `intact` finds another replica, or says what is wrong.
  }
  return filled;
}

function isBlock({ digest }: BlockId, block: Uint8Array): boolean {
  return Buffer.compare(sha256(block), digest) === 0;
}

async function intact(leaf: BlockId, size: number | undefined, blocks: FileBlocks): Promise<Uint8Array> {
  const block = await blocks.read(leaf.digest);
  assertSize(leaf, block.length, size);
  return block;
}

/** Files of all rows that are not read yet are held: whoever takes a row releases its file. */
async function* rowsOf(file: FileToRead, from: number, to: number, blocks: FileBlocks): AsyncGenerator<Row, void, void> {
  let most = 0;
  let row: PlacedLeaf[] = [];
  const taken = (): Row => {
    const [first, last] = [row[0] as PlacedLeaf, row.at(-1) as PlacedLeaf];
    const { at } = first.extent;
    const taken = { file: first.extent.file, at, length: last.extent.at + last.extent.length - at, leaves: row };
    row = [];
    most = Math.min(MOST_WINDOW_BYTES, Math.max(most, taken.length) * 2);
    return taken;
  };
  try {
    for await (const part of leavesOf(file, from, to, blocks)) {
      if ('data' in part) {
        if (row.length > 0) yield taken();
        yield [part.data];
        continue;
      }
      const extent = blocks.extentNow(part.leaf.digest) ?? (await blocks.extentOf(part.leaf.digest));
      if (extent === undefined) {
        if (row.length > 0) yield taken();
        yield [(await intact(part.leaf, part.size, blocks)).subarray(part.from, part.to)];
        continue;
      }
      if (row.length > 0 && follows(row, extent, most)) {
        row.push({ ...part, extent });
        continue;
      }
      // Held before this generator waits for whoever takes the row before.
      extent.file.hold();
      const before = row.length > 0 ? taken() : undefined;
      row = [{ ...part, extent }];
      if (before !== undefined) yield before;
    }
    if (row.length > 0) yield taken();
  } finally {
    row[0]?.extent.file.release();
  }
}

/** Whether the extent lies behind the row, and they are not too much together. */
function follows(row: readonly PlacedLeaf[], { file, at, length }: Extent, most: number): boolean {
  const [first, last] = [(row[0] as PlacedLeaf).extent, (row.at(-1) as PlacedLeaf).extent];
  const gap = at - (last.at + last.length);
  return file === first.file && gap >= 0 && gap <= MOST_GAP_BYTES && at + length - first.at <= most;
}
