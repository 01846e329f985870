/**
 * Puts some directories of a snapshot in the place of those that its parent had, and takes the rest over as it is: whole blocks of the
 * hot part, whole stretches of the cold part. Nothing in them is looked at, so what this costs beside the directories themselves is the
 * copying of two files.
 *
 * In the cold part the records of a subtree stand together, the top's at the end, and `EntriesWriter.copy` relies on that. So a record
 * that replaces another stands where that stood, and the records of a new subtree stand before that of the directory in which it is.
 */
import type { ByteString } from '../../core/model.ts';
import { keyOf } from '../../core/path-bytes.ts';
import { Appender } from '../files/appender.ts';
import { type HotBlock, writeBlockList } from './block-list.ts';
import { appendFooter } from './cold-file.ts';
import { encodeHeader, HEADER_BYTES } from './format.ts';
import { pathAt } from './hot-file.ts';
import { HotWriter } from './hot-writer.ts';
import type { Replaced } from './patch-note.ts';
import type { EntriesReader } from './reader.ts';

/** Bytes that are copied at once. */
const PIECE_BYTES = 256 * 1024;

export interface EntriesPatch {
  readonly base: EntriesReader;
  /** Of the base. */
  readonly blocks: readonly HotBlock[];
  /** Those records of the base that do not count any more, in walk order. */
  readonly replaced: readonly Replaced[];
  /** What takes their place: the same directories, as far as they are still there, and new ones. A reader at its beginning. */
  readonly patch: EntriesReader;
}

/** Both files are durable when it returns. @param out paths of the files to write */
export function patchEntries(it: EntriesPatch, out: { readonly hot: string; readonly cold: string; readonly blocks: string }): void {
  const hot = new HotWriter(out.hot, it.patch.header);
  const cold = new Appender(out.cold);
  try {
    const { origins, paths } = patchHot(it, hot);
    cold.append(encodeHeader('cold', it.patch.header));
    appendFooter(cold, patchCold(it, cold, origins, paths));
    hot.finish();
    cold.finish();
  } finally {
    hot.abandon();
    cold.abandon();
  }
  writeBlockList(out.blocks, it.patch.header.pair, hot.blocks);
}

interface PatchedHot {
  /** For each directory, in walk order, its position in the base; or, of one from the patch, −1 − its position there. */
  readonly origins: Int32Array;
  /** Paths of the directories of the patch, in walk order. */
  readonly paths: readonly ByteString[];
}

function patchHot({ base, blocks, replaced, patch }: EntriesPatch, hot: HotWriter): PatchedHot {
  const origins = new Int32Array(base.directories + patch.directories);
  const paths: ByteString[] = [];
  let count = 0;
  let gone = 0;
  let key = keyAt(patch);
  const take = () => {
    paths.push(patch.peek() as ByteString);
    origins[count++] = -1 - patch.ordinal;
    append(hot, patch.skip() as Buffer);
    key = keyAt(patch);
  };
  const isGone = (ordinal: number) => {
    if (replaced[gone]?.ordinal !== ordinal) return false;
    gone++;
    return true;
  };
  let firstWhole = 0;
  const copyWhole = (end: number) => {
    const whole = blocks.slice(firstWhole, end);
    const [first] = whole;
    if (first === undefined) return;
    const last = blocks[end];
    const records = (last?.ordinal ?? base.directories) - first.ordinal;
    for (let i = 0; i < records; i++) origins[count++] = first.ordinal + i;
    hot.appendBlocks(whole, records, base.hot.pieces(first.offset, last?.offset ?? base.hot.bytes));
  };
  for (const [n, { offset, ordinal: first }] of blocks.entries()) {
    const after = blocks[n + 1];
    const [end, endKey] = [after?.ordinal ?? base.directories, after === undefined ? undefined : keyOf(after.path)];
    const isBefore = (limit: string | undefined) => key !== undefined && (limit === undefined || key < limit);
    const nextGone = replaced[gone]?.ordinal ?? Number.POSITIVE_INFINITY;
    if (nextGone >= end && !isBefore(endKey)) continue;
    copyWhole(n);
    firstWhole = n + 1;
    const { payload } = base.hot.block(offset, new ArrayBuffer(0));
    for (let at = 0, ordinal = first; at < payload.length; ordinal++) {
      const to = base.hot.endOf(payload, at);
      while (isBefore(keyOf(pathAt(payload, at)))) take();
      if (!isGone(ordinal)) {
        origins[count++] = ordinal;
        append(hot, payload.subarray(at, to));
      }
      at = to;
    }
    while (isBefore(endKey)) take();
  }
  copyWhole(blocks.length);
  return { origins: origins.subarray(0, count), paths };
}

function keyAt(entries: EntriesReader): string | undefined {
  const path = entries.peek();
  return path === undefined ? undefined : keyOf(path);
}

function append(hot: HotWriter, record: Buffer): void {
  const { block, at } = hot.reserve(record.length, () => pathAt(record, 0));
  record.copy(Buffer.from(block, at));
}

/** A record of the base that does not count any more. */
interface Cut {
  /** Where it begins and ends. */
  readonly from: number;
  readonly to: number;
  /** What comes in its place, by position in the patch. */
  readonly patched: number[];
}

/** @returns where each directory's record begins, in walk order */
function patchCold(
  { base, replaced, patch }: EntriesPatch,
  cold: Appender,
  origins: Int32Array,
  paths: readonly ByteString[],
): Float64Array {
  const { coldFile } = base;
  const cuts = new Map<ByteString, Cut>();
  for (const { path, ordinal } of replaced) {
    const { offset, bytes } = coldFile.placeOf(ordinal);
    cuts.set(path, { from: offset, to: offset + bytes, patched: [] });
  }
  placeIn(cuts, patch, paths);
  const inOrder = [...cuts.values()].sort((a, b) => a.from - b.from);
  const ofPatch = new Float64Array(patch.directories);
  // By how much a record of the base moves that stands before the cut.
  const shifts = new Float64Array(inOrder.length + 1);
  let at = HEADER_BYTES;
  const memory = new ArrayBuffer(PIECE_BYTES);
  const copyTo = (end: number) => {
    for (; at < end; at += Math.min(PIECE_BYTES, end - at)) cold.append(coldFile.read(at, Math.min(PIECE_BYTES, end - at), memory));
  };
  for (const [n, { from, to, patched }] of inOrder.entries()) {
    shifts[n] = cold.position - at;
    copyTo(from);
    for (const ordinal of patched) {
      ofPatch[ordinal] = cold.position;
      const { offset, bytes } = patch.coldFile.placeOf(ordinal);
      cold.append(patch.coldFile.read(offset, bytes));
    }
    at = to;
  }
  shifts[inOrder.length] = cold.position - at;
  copyTo(coldFile.end);
  const cutsFrom = Float64Array.from(inOrder, ({ from }) => from);
  const offsets = new Float64Array(origins.length);
  for (let i = 0; i < offsets.length; i++) {
    const origin = origins[i] as number;
    const offset = coldFile.offsets[origin] ?? 0;
    offsets[i] = origin < 0 ? (ofPatch[-1 - origin] as number) : offset + (shifts[countBelow(cutsFrom, offset)] as number);
  }
  return offsets;
}

/** Says of each directory of the patch which cut it goes into: its own, or that of the nearest directory above that has one. The root has. */
function placeIn(cuts: ReadonlyMap<ByteString, Cut>, patch: EntriesReader, paths: readonly ByteString[]): void {
  const { offsets } = patch.coldFile;
  // In the order in which they were finished, so that a subtree stays together.
  const finished = Uint32Array.from(paths.keys()).sort((a, b) => (offsets[a] as number) - (offsets[b] as number));
  for (const ordinal of finished) {
    let path = paths[ordinal] as ByteString;
    while (!cuts.has(path)) {
      if (path === '') throw new Error('the root is in no patch');
      path = path.slice(0, Math.max(0, path.lastIndexOf('/')));
    }
    cuts.get(path)?.patched.push(ordinal);
  }
}

/** How many of these ascending numbers are smaller than `value`. */
function countBelow(numbers: Float64Array, value: number): number {
  let [low, high] = [0, numbers.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((numbers[middle] as number) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
