/**
 * The bytes of a file, or of a range of it, in windows: leaves that lie one behind the other in a CAR on this machine, as they do when a
 * file was imported at once, are read together, up to a MiB: what is read is still in the cache of the processor when it is hashed. Each
 * leaf is hashed before it is given out, unless it is known to be intact (`stored/intact-places.ts`), and one that is not what it should
 * be is read again from wherever it is intact.
 *
 * The first window is one leaf, and each that is asked for doubles the size of the next: a client that reads slowly costs little.
 * What the system has in memory is read when it is asked for. Of what it has not, the next window is being read, from the second on, while
 * the caller has the one before, so that two are held.
 */
import { read } from 'node:fs';
import { promisify } from 'node:util';
import { ShardctlError } from '../../core/errors.ts';
import type { BlockId } from '../../core/model.ts';
import { cidText } from '../../dag/cid.ts';
import type { Extent, OpenFile } from '../stored/stored-blocks.ts';
import { WINDOW_BYTES, windowBuffers } from '../stored/window-buffers.ts';
import { assertSize } from '../tree/file-data.ts';
import { type FileBlocks, type FileToRead, type LeafPart, leavesOf } from './file-leaves.ts';

/** Bytes that follow one another in the file. Valid until the next window is asked for. */
export type Window = readonly Uint8Array[];

/** Between two leaves of a CAR stand the length and the CID of the second: 37 to 40 bytes. What is farther apart is read apart. */
const MOST_GAP_BYTES = 64;

const readAsync = promisify(read);

/** A window that was read, in a buffer that must be spared until the window is not needed any more. */
interface ReadWindow {
  readonly window: Window;
  readonly buffer?: Buffer;
  /** A disk or a peer was waited for. */
  readonly wasSlow?: boolean;
}

/**
 * Bytes from `from` on and before `to`, which must lie in the file.
 * @param areCopied whether nothing of a window is used after the generator was ended; otherwise who ends it early may still be sending it
 * @throws ShardctlError `DAMAGE` or `TOO_FEW_PEERS` at the first window that has a leaf which cannot be had intact; BoundlessTree
 */
export async function* fileBytes(
  file: FileToRead,
  from: number,
  to: number,
  blocks: FileBlocks,
  areCopied = false,
): AsyncGenerator<Window, void, void> {
  const spare: Buffer[] = [];
  let ahead: Promise<ReadWindow> | undefined;
  /** That of the window which the caller has. */
  let given: Buffer | undefined;
  const rows = rowsOf(file, from, to, blocks);
  try {
    let at = from;
    for (let isFirst = true; ; isFirst = false) {
      ahead ??= nextWindow(rows, blocks, spare);
      const { window, buffer, wasSlow } = await ahead;
      ahead = undefined;
      given = buffer;
      if (window.length === 0) break;
      for (const part of window) at += part.length;
      if (at > to) throw new ShardctlError('DAMAGE', `${cidText(file, 1)} has more bytes than it says`);
      if (at < to && !isFirst && wasSlow === true) {
        ahead = nextWindow(rows, blocks, spare);
        // Told of when the next window is asked for; until then nobody listens.
        ahead.catch(() => {});
      }
      yield window;
      if (given !== undefined) spare.push(given);
      given = undefined;
      if (at === to) break;
    }
    if (at < to) throw new ShardctlError('DAMAGE', `${cidText(file, 1)} has fewer bytes than it says`);
  } finally {
    const last = await ahead?.catch(() => undefined);
    await rows.return();
    for (const buffer of spare) windowBuffers.give(buffer);
    if (areCopied && given !== undefined) windowBuffers.give(given);
    if (last?.buffer !== undefined) windowBuffers.give(last.buffer);
  }
}

/** Leaves that are read at once: in a file, one behind the other. */
interface LeafRow {
  readonly file: OpenFile;
  readonly at: number;
  readonly length: number;
  readonly leaves: readonly PlacedLeaf[];
}

/** Leaves of a file, or bytes that are there already. */
type Row = LeafRow | Window;

interface PlacedLeaf extends LeafPart {
  readonly extent: Extent;
}

async function nextWindow(rows: AsyncGenerator<Row, void, void>, blocks: FileBlocks, spare: Buffer[]): Promise<ReadWindow> {
  const { value: row } = await rows.next();
  if (row === undefined) return { window: [] };
  if (!('leaves' in row)) return { window: row, wasSlow: true };
  try {
    return knownWindow(row, spare) ?? (await hashedWindow(row, blocks, spare));
  } finally {
    row.file.release();
  }
}

/** Of leaves that are known to be intact no more is read than the range needs, and nothing is hashed. */
function knownWindow({ file, leaves }: LeafRow, spare: Buffer[]): ReadWindow | undefined {
  const areKnown = () =>
    leaves.every(
      ({ leaf, size, to, extent }) =>
        (size ?? extent.length) === extent.length && to <= extent.length && file.isKnown(extent.at, leaf.digest),
    );
  if (!areKnown()) return undefined;
  const [first, last] = [leaves[0] as PlacedLeaf, leaves.at(-1) as PlacedLeaf];
  const at = first.extent.at + first.from;
  const length = last.extent.at + last.to - at;
  const buffer = bufferOf(length, spare);
  if (!file.fromMemory(buffer.subarray(0, length), at) || !areKnown()) {
    spare.push(buffer);
    return undefined;
  }
  return { window: leaves.map(({ extent, from, to }) => buffer.subarray(extent.at + from - at, extent.at + to - at)), buffer };
}

async function hashedWindow({ file, at, length, leaves }: LeafRow, blocks: FileBlocks, spare: Buffer[]): Promise<ReadWindow> {
  const buffer = bufferOf(length, spare);
  const bytes = buffer.subarray(0, length);
  const wasSlow = !file.fromMemory(bytes, at);
  const bytesRead = wasSlow ? await readFully(file, bytes, at) : length;
  const window: Uint8Array[] = [];
  for (const { leaf, size, from, to, extent } of leaves) {
    const begin = extent.at - at;
    const block = bytes.subarray(begin, Math.min(begin + extent.length, bytesRead));
    const isIntact =
      block.length === extent.length && (size ?? block.length) === block.length && file.isIntact(extent.at, block, leaf.digest);
    window.push((isIntact ? block : await intact(leaf, size, blocks)).subarray(from, to));
  }
  return { window, buffer, wasSlow };
}

/** A spare one that is large enough, or a new one. */
function bufferOf(length: number, spare: Buffer[]): Buffer {
  const last = spare.pop();
  if (last === undefined) return windowBuffers.take(length);
  if (last.length >= length) return last;
  windowBuffers.give(last);
  return windowBuffers.take(length);
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
    most = Math.min(WINDOW_BYTES, Math.max(most, taken.length) * 2);
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
