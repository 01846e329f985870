/**
 * The bytes of files, by offset, for a kernel that reads ahead. Which leaves a stretch of a file has is worked out once, and kept for the
 * files that were read last. Who reads one leaf after the other gets the next ones read ahead, one at first and up to eight.
 */
import { readSync } from 'node:fs';
import { LRUCache } from 'lru-cache';
import { ShardctlError } from '../../core/errors.ts';
import { type BlockId, RAW } from '../../core/model.ts';
import { decodeNode } from '../../dag/node-reader.ts';
import { type FileBlocks, type InlinePart, type LeafPart, leavesOf } from '../../read/files/file-leaves.ts';
import { Leaves, type NowBlocks } from './leaves.ts';

/**
 * Of a file's leaves, so many are laid out at first, which takes 50 µs; four times as many when the stretch behind is wanted, too: who
 * reads here and there in a large file needs few.
 */
const FIRST_PARTS = 32;
const MOST_PARTS = 1024;
/** Parts of all stretches that are kept: about 10 MB. */
const MOST_KEPT_PARTS = 65_536;
const MOST_AHEAD = 8;

export type ContentBlocks = FileBlocks & NowBlocks;

export interface FileId extends BlockId {
  /** Bytes that the file says it has. */
  readonly size: number;
  /** Digest of the raw leaf that is all of it, where it is one. */
  readonly leaf: Uint8Array | undefined;
}

/** Part of a file: where its parts begin, and which leaves they are. */
interface Stretch {
  readonly parts: readonly (LeafPart | InlinePart)[];
  /** Of each part, the offset in the file; then the end of the last one. */
  readonly offsets: Float64Array;
  /** The part that was read last. */
  last: number;
  /** How many of the next ones are read ahead. */
  ahead: number;
}

/** A file that is one leaf has nothing to read ahead, and is laid out for nothing. */
const ONE = { last: 0, ahead: 0 };
/** Up to here a file is read at once: that takes less than to wait for a thread. */
const SMALL_BYTES = 64 * 1024;
const MOST_ROOM = 64;

export class FileContent {
  readonly #scratch = Buffer.allocUnsafeSlow(MOST_ROOM + SMALL_BYTES);
  readonly #leaves: Leaves;
  readonly #stretches = new LRUCache<string, Stretch>({ maxSize: MOST_KEPT_PARTS, sizeCalculation: ({ parts }) => parts.length + 1 });

  constructor(leaves: Leaves = new Leaves()) {
    this.#leaves = leaves;
  }

  /**
   * As `read`, at once, and written behind `room` bytes that are free: for a small file in a CAR on this machine.
   * @returns valid until the next call; undefined when it takes longer
   */
  readNow({ leaf, size }: FileId, offset: number, length: number, blocks: ContentBlocks, room: number): Buffer | undefined {
    if (leaf === undefined || size > SMALL_BYTES) return undefined;
    const extent = blocks.extentNow(leaf);
    if (extent?.length !== size) return undefined;
    const { file, at } = extent;
    // The leaf as a whole is hashed, and the part that is wanted then moved to where its reply begins.
    const bytes = this.#scratch.subarray(room, room + size);
    try {
      if (readSync(file.fd, bytes, 0, size, at) !== size || !file.isIntact(at, bytes, leaf)) return undefined;
    } catch {
      // Another replica may be readable.
      return undefined;
    }
    const taken = Math.max(0, Math.min(size, offset + length) - offset);
    if (offset > 0) this.#scratch.copyWithin(room, room + offset, room + offset + taken);
    return this.#scratch.subarray(0, room + taken);
  }

  /**
   * Bytes from `offset` on: `length` of them, or fewer at the end of the file.
   * @throws ShardctlError `DAMAGE` or `TOO_FEW_PEERS` when a leaf cannot be had intact; UnlistedBlock; MovedBlock
   */
  async read(file: FileId, offset: number, length: number, blocks: ContentBlocks): Promise<Uint8Array[]> {
    const to = Math.min(file.size, offset + length);
    const found: Uint8Array[] = [];
    for (let at = offset; at < to; ) {
      const stretch = await this.#stretchAt(file, at, blocks);
      let index = partAt(stretch.offsets, at);
      for (; index < stretch.parts.length && at < to; index++) {
        const part = stretch.parts[index] as LeafPart | InlinePart;
        const begin = stretch.offsets[index] as number;
        const bytes = await this.#bytesOf(part, stretch, index, blocks);
        const taken = bytes.subarray(at - begin, Math.min(bytes.length, to - begin));
        if (begin + bytes.length !== stretch.offsets[index + 1])
          throw new ShardctlError('DAMAGE', 'a leaf has another size than its file says');
        if (taken.length > 0) found.push(taken);
        at += taken.length;
      }
    }
    return found;
  }

  async #bytesOf(part: LeafPart | InlinePart, stretch: Stretch, index: number, blocks: ContentBlocks): Promise<Uint8Array> {
    if ('data' in part) return part.data;
    this.#readAhead(stretch, index, blocks);
    const { digest } = part.leaf;
    const leaf = this.#leaves.now(digest, blocks) ?? (await this.#leaves.read(digest, blocks));
    if (part.size !== undefined && leaf.length !== part.size)
      throw new ShardctlError('DAMAGE', 'a leaf has another size than its file says');
    return leaf.subarray(part.from, part.to);
  }

  #readAhead(stretch: Stretch, index: number, blocks: ContentBlocks): void {
    if (index === stretch.last + 1) stretch.ahead = Math.min(MOST_AHEAD, Math.max(1, stretch.ahead * 2));
    // The kernel asks for parts in no strict order.
    else if (Math.abs(index - stretch.last) > MOST_AHEAD) stretch.ahead = 0;
    stretch.last = Math.max(index, stretch.ahead === 0 ? index : stretch.last);
    for (let next = index + 1; next <= index + stretch.ahead; next++) {
      const part = stretch.parts[next];
      if (part === undefined) return;
      if ('leaf' in part) this.#leaves.prefetch(part.leaf.digest, blocks);
    }
  }

  async #stretchAt(file: FileId, offset: number, blocks: ContentBlocks): Promise<Stretch> {
    const key = Buffer.from(file.digest).toString('latin1');
    const known = this.#stretches.get(key);
    if (known !== undefined && offset >= (known.offsets[0] ?? 0) && offset < (known.offsets[known.parts.length] ?? 0)) return known;
    if (file.leaf !== undefined)
      return {
        ...ONE,
        parts: [{ leaf: { codec: RAW, digest: file.leaf }, size: file.size, from: 0, to: file.size }],
        offsets: Float64Array.of(0, file.size),
      };
    const isNext = known !== undefined && offset === known.offsets[known.parts.length];
    const most = isNext ? Math.min(MOST_PARTS, known.parts.length * 4) : FIRST_PARTS;
    const node = file.codec === RAW ? undefined : decodeNode(blocks.readNow(file.digest) ?? (await blocks.read(file.digest)));
    const parts: (LeafPart | InlinePart)[] = [];
    const offsets = [offset];
    let at = offset;
    for await (const part of leavesOf({ codec: file.codec, digest: file.digest, node }, offset, file.size, blocks)) {
      at += 'data' in part ? part.data.length : part.to - part.from;
      parts.push(part);
      offsets.push(at);
      if (parts.length === most) break;
    }
    if (at === offset) throw new ShardctlError('DAMAGE', 'a file has fewer bytes than it says');
    const stretch = { parts, offsets: Float64Array.from(offsets), last: -1, ahead: isNext ? known.ahead : 0 };
    this.#stretches.set(key, stretch);
    return stretch;
  }
}

/** The last part that begins at `offset` or before. */
function partAt(offsets: Float64Array, offset: number): number {
  let [low, high] = [0, offsets.length - 2];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((offsets[middle] as number) <= offset) low = middle;
    else high = middle - 1;
  }
  return low;
}
