/**
 * Files that are wanted from streams of shards, in columns: where each goes, and which blocks it needs. There are two kinds. Of a *plain* file
 * only the root is known, whose leaf, if it has one, lies right before it in the shard; it is written in one go when both have come. A *placed*
 * file was read down to its leaves, each of which has a place in it; they may come in any order from any shard.
 */
import type { ByteString, Metadata } from '../core/model.ts';
import type { MadeFile } from './destination.ts';
import type { BlockPosition } from './shard-tables.ts';

/** The offset of a use that needs the block as the root of its file, rather than at a place in it. */
export const AS_ROOT = -1;

/** Of a use: the block is bytes of the file, and not a node around them; the block before it is its only leaf. */
export const IS_RAW = 1;
export const HAS_LEAF = 2;

/** A portion of a tree: its files are written while others are still being noted. */
const PORTION = { files: 2048, uses: 16_384, bytes: 32 * 1024 * 1024 };
/** The first portion has so many files, the others twice as many as the one before: the threads wait for the first. */
export const FIRST_FILES = 256;

/** A file whose leaves have places. */
export interface PlacedFile {
  readonly metadata: Metadata;
  readonly size: number;
  /** How many places it has: its uses, which follow one another. */
  readonly uses: number;
  /** What was made of it before its leaves come, empty and of its full length. Undefined when it has a single leaf and is written in one go. */
  readonly made: MadeFile | undefined;
}

/** A leaf of a file. */
export interface Place {
  readonly at: BlockPosition;
  readonly offset: number;
  readonly isRaw: boolean;
}

export class WantedFiles {
  readonly directories: ByteString[] = [];
  /** For each file: its directory, as an index of `directories`, and its name. */
  readonly directoryOf: number[] = [];
  readonly names: ByteString[] = [];
  /** The number of its first use. */
  readonly firstUse: number[] = [];
  readonly placed = new Map<number, PlacedFile>();
  /** For each use of a block: where the block lies, the file, and its offset in there. */
  readonly useShard: number[] = [];
  readonly useOrdinal: number[] = [];
  readonly useFile: number[] = [];
  readonly useOffset: number[] = [];
  /** For each use: IS_RAW, HAS_LEAF, both or none. */
  readonly useFlags: number[] = [];
  /** Bytes of all files, as far as is known before they are read. */
  bytes = 0;

  readonly #mostFiles: number;

  constructor(mostFiles: number) {
    this.#mostFiles = mostFiles;
  }

  /** For the files after these. */
  next(): WantedFiles {
    return new WantedFiles(Math.min(2 * this.#mostFiles, PORTION.files));
  }

  get files(): number {
    return this.names.length;
  }

  get uses(): number {
    return this.useFile.length;
  }

  get isFull(): boolean {
    return this.files >= this.#mostFiles || this.uses >= PORTION.uses || this.bytes >= PORTION.bytes;
  }

  pathOf(file: number): ByteString {
    return `${this.directories[this.directoryOf[file] as number]}/${this.names[file]}`;
  }

  /** @param bytes that it will have, by the manifest of its shard */
  addPlain(directory: ByteString, name: ByteString, root: BlockPosition, bytes: number, flags: number): void {
    this.#use(this.#addFile(directory, name, bytes), root, AS_ROOT, flags);
  }

  /** @param places of all its leaves, in the order of their offsets */
  addPlaced(directory: ByteString, name: ByteString, file: Pick<PlacedFile, 'metadata' | 'size' | 'made'>, places: readonly Place[]): void {
    const number = this.#addFile(directory, name, file.size);
    this.placed.set(number, { ...file, uses: places.length });
    for (const { at, offset, isRaw } of places) this.#use(number, at, offset, isRaw ? IS_RAW : 0);
  }

  #addFile(directory: ByteString, name: ByteString, bytes: number): number {
    if (this.directories.at(-1) !== directory) this.directories.push(directory);
    this.directoryOf.push(this.directories.length - 1);
    this.firstUse.push(this.uses);
    this.bytes += bytes;
    return this.names.push(name) - 1;
  }

  #use(file: number, { shard, ordinal }: BlockPosition, offset: number, flags: number): void {
    this.useShard.push(shard);
    this.useOrdinal.push(ordinal);
    this.useFile.push(file);
    this.useOffset.push(offset);
    this.useFlags.push(flags);
  }
}
