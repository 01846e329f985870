/** What a thread is told to do with one shard, and what it tells of it: messages between threads. Nothing in them refers to anything outside. */
import { type ByteString, DIGEST_BYTES } from '../core/model.ts';
import type { ShardContents } from '../peer/peer.ts';
import { CAR_HEADER_BYTES, sectionHeaderBytes } from '../shard/car.ts';
import type { OpenTop } from './restored-into.ts';
import type { ShardStream } from './shard-stream.ts';
import { AS_ROOT, HAS_LEAF, type PlacedFile, type WantedFiles } from './wanted-files.ts';

/** Seen by all threads while the files of one portion are written. */
export interface SharedState {
  /** For each placed file, by its number: how many of its places are not written yet. */
  readonly lacking: Int32Array;
  /** For each use of a block: 1 when it is written to its place. */
  readonly written: Uint8Array;
  /** For each file, by its number: 1 when it is complete and under its name, 2 when it cannot be written. */
  readonly over: Uint8Array;
  /** [0] is 1 when all are to stop. */
  readonly stop: Int32Array;
}

/** The blocks of one shard that are wanted, in shard order, and what each is for. */
export interface ShardJob {
  readonly id: number;
  readonly shard: string;
  readonly streams: readonly ShardStream[];
  /** Of the shard's UnixFS file. */
  readonly fileBytes: number;
  readonly shared: SharedState;
  /** What is restored into; undefined where that is a single file. */
  readonly top: OpenTop | undefined;
  /** Where each block begins in the shard's CAR, and in its UnixFS file; its length; its digest, 32 bytes each. */
  readonly carOffsets: Float64Array;
  readonly fileOffsets: Float64Array;
  readonly lengths: Uint32Array;
  readonly digests: Uint8Array;
  /** The uses of block n are those from `firstUse[n]` to `firstUse[n + 1]`; a leaf that is only kept for the root after it has none. */
  readonly firstUse: Uint32Array;
  /** For each use: its number in `WantedFiles`, its file (an index of the columns below), its offset in there, or AS_ROOT, and its flags. */
  readonly useNumber: Uint32Array;
  readonly useFile: Uint32Array;
  readonly useOffset: Float64Array;
  readonly useFlags: Uint8Array;
  /** Numbers of the files in `WantedFiles`; their directories, as indexes of `directories`; their names. */
  readonly files: Uint32Array;
  readonly directoryOf: Uint32Array;
  readonly names: readonly ByteString[];
  readonly directories: readonly ByteString[];
  /** By index of the columns above. */
  readonly placed: ReadonlyMap<number, PlacedFile>;
}

export interface WriterSettings {
  readonly overwrite: boolean;
  readonly specialBits: boolean;
}

/** An error on its way between threads. */
export interface SentError {
  readonly message: string;
  /** Of a ShardctlError, or an errno. */
  readonly code: string | undefined;
  readonly isOurs: boolean;
  readonly hint: string | undefined;
}

/** What is wrong with a stream; a daemon that is gone is one cause for all shards. */
export interface StreamTrouble {
  readonly message: string;
  readonly cause: string;
}

export type WorkerMessage = { readonly job: number } & Told;

export type Told =
  /** So many files and symlinks are complete, and so many bytes were written, since the last such message. */
  | { readonly type: 'done'; readonly files: number; readonly symlinks: number; readonly bytes: number }
  | { readonly type: 'failed'; readonly file: number; readonly error: SentError }
  | { readonly type: 'warning'; readonly message: string; readonly key: string }
  /** The job is over. `trouble` says of each stream that failed why. */
  | { readonly type: 'end'; readonly withheld: number; readonly trouble: readonly StreamTrouble[] }
  /** A bug. */
  | { readonly type: 'broken'; readonly error: SentError };

/**
 * Several small loops rather than a long one: V8 optimizes what runs long while it runs, and took 0.15 s of processor time for a function
 * that did all of this, longer than that ran.
 * @param uses numbers of all uses of blocks of this shard
 */
export function shardJob(
  id: number,
  wanted: WantedFiles,
  uses: readonly number[],
  shard: string,
  contents: ShardContents,
  streams: readonly ShardStream[],
  shared: SharedState,
  top: OpenTop | undefined,
): ShardJob {
  const useNumber = inShardOrder(wanted, uses);
  const blocks = blocksOf(wanted, useNumber, contents);
  const columns = {
    ...offsetsOf(blocks, contents.lengths),
    digests: digestsOf(blocks, contents.digests),
    firstUse: firstUses(blocks, wanted, useNumber),
  };
  return { id, shard, streams, fileBytes: contents.bytes, shared, top, ...columns, useNumber, ...filesOf(wanted, useNumber) };
}

/** A tree is packed as it is walked, so most uses are in order already. */
function inShardOrder({ useOrdinal }: WantedFiles, uses: readonly number[]): Uint32Array {
  const sorted = new Uint32Array(uses);
  for (let i = 1; i < sorted.length; i++) {
    if ((useOrdinal[sorted[i] as number] as number) < (useOrdinal[sorted[i - 1] as number] as number))
      return sorted.sort((a, b) => (useOrdinal[a] as number) - (useOrdinal[b] as number));
  }
  return sorted;
}

/** Ordinals of the blocks that are needed: those that are used, and the leaf before each root that has one. */
function blocksOf({ useOrdinal, useOffset, useFlags }: WantedFiles, sorted: Uint32Array, { lengths }: ShardContents): Uint32Array {
  const blocks = new Uint32Array(2 * sorted.length);
  let count = 0;
  let last = -1;
  for (const use of sorted) {
    const ordinal = useOrdinal[use] as number;
    if (last === ordinal) continue;
    const needsLeaf = useOffset[use] === AS_ROOT && ((useFlags[use] as number) & HAS_LEAF) !== 0;
    if (needsLeaf && ordinal > 0 && last !== ordinal - 1 && lengths[ordinal - 1] !== undefined) blocks[count++] = ordinal - 1;
    blocks[count++] = ordinal;
    last = ordinal;
  }
  return blocks.slice(0, count);
}

function offsetsOf(blocks: Uint32Array, shardLengths: readonly number[]) {
  const carOffsets = new Float64Array(blocks.length);
  const fileOffsets = new Float64Array(blocks.length);
  const lengths = new Uint32Array(blocks.length);
  let [carAt, fileAt, ordinal] = [CAR_HEADER_BYTES, 0, 0];
  for (let block = 0; block < blocks.length; block++) {
    for (; ordinal < (blocks[block] as number); ordinal++) {
      const length = shardLengths[ordinal] as number;
      carAt += sectionHeaderBytes(length) + length;
      fileAt += length;
    }
    const length = shardLengths[ordinal] as number;
    lengths[block] = length;
    carOffsets[block] = carAt + sectionHeaderBytes(length);
    fileOffsets[block] = fileAt;
  }
  return { carOffsets, fileOffsets, lengths };
}

function digestsOf(blocks: Uint32Array, shardDigests: Uint8Array): Uint8Array {
  const digests = new Uint8Array(blocks.length * DIGEST_BYTES);
  for (let block = 0; block < blocks.length; block++) {
    const from = (blocks[block] as number) * DIGEST_BYTES;
    for (let i = 0; i < DIGEST_BYTES; i++) digests[block * DIGEST_BYTES + i] = shardDigests[from + i] as number;
  }
  return digests;
}

function firstUses(blocks: Uint32Array, { useOrdinal }: WantedFiles, sorted: Uint32Array): Uint32Array {
  const firstUse = new Uint32Array(blocks.length + 1);
  let use = 0;
  for (let block = 0; block < blocks.length; block++) {
    firstUse[block] = use;
    while (use < sorted.length && useOrdinal[sorted[use] as number] === blocks[block]) use++;
  }
  firstUse[blocks.length] = use;
  return firstUse;
}

function filesOf(wanted: WantedFiles, sorted: Uint32Array) {
  const useFile = new Uint32Array(sorted.length);
  const useOffset = new Float64Array(sorted.length);
  const useFlags = new Uint8Array(sorted.length);
  const files = new JobFiles(wanted);
  for (let index = 0; index < sorted.length; index++) {
    const use = sorted[index] as number;
    useFile[index] = files.indexOf(wanted.useFile[use] as number);
    useOffset[index] = wanted.useOffset[use] as number;
    useFlags[index] = wanted.useFlags[use] as number;
  }
  const { numbers, directoryOf, names, directories, placed } = files;
  return {
    ...{ useFile, useOffset, useFlags, names, directories, placed },
    files: Uint32Array.from(numbers),
    directoryOf: Uint32Array.from(directoryOf),
  };
}

/** The files of a job: its own numbers for them, and for their directories. */
class JobFiles {
  readonly numbers: number[] = [];
  readonly directoryOf: number[] = [];
  readonly names: ByteString[] = [];
  readonly directories: ByteString[] = [];
  readonly placed = new Map<number, PlacedFile>();
  readonly #wanted: WantedFiles;
  /** Of placed files, as only these have several uses. */
  readonly #indexes = new Map<number, number>();
  readonly #directoryIndexes = new Map<number, number>();
  #lastDirectory = -1;

  constructor(wanted: WantedFiles) {
    this.#wanted = wanted;
  }

  indexOf(file: number): number {
    const place = this.#wanted.placed.get(file);
    if (place === undefined) return this.#add(file);
    const known = this.#indexes.get(file);
    if (known !== undefined) return known;
    const index = this.#add(file);
    this.#indexes.set(file, index);
    this.placed.set(index, place);
    return index;
  }

  #add(file: number): number {
    const directory = this.#wanted.directoryOf[file] as number;
    if (directory !== this.#lastDirectory) this.#enter(directory);
    this.directoryOf.push(this.#directoryIndexes.get(directory) as number);
    this.names.push(this.#wanted.names[file] as ByteString);
    return this.numbers.push(file) - 1;
  }

  #enter(directory: number): void {
    this.#lastDirectory = directory;
    if (this.#directoryIndexes.has(directory)) return;
    this.#directoryIndexes.set(directory, this.directories.push(this.#wanted.directories[directory] as ByteString) - 1);
  }
}
