/**
 * What of the tree cannot be brought into OUT, and is left behind so that the rest can come: an immutable file that stands in the way, a name that
 * the file system does not take. Which packages an index names is not known here. So the indexes stay as they are when anything is left behind,
 * and nothing is deleted then that they may name: until it can be written, or the user leaves it out with --exclude.
 */
import { accessSync, constants } from 'node:fs';
import { displayPath } from '../../core/display.ts';
import { errnoOf, reasonOf } from '../../core/errors.ts';
import type { Emit } from '../../core/events.ts';
import type { ByteString } from '../../core/model.ts';
import { fsPath, joinBytes, partsOf, toBytes } from '../../core/path-bytes.ts';
import type { OutDirectory } from '../out/out-directory.ts';
import { lookAt, placeIn } from '../out/places.ts';
import { namesIn } from './deletions.ts';
import type { Move } from './moves.ts';
import { PLAIN, rankOf } from './package-indexes.ts';

/** Immutable, in use, or not to be had on this file system: that says nothing of other entries. */
const OF_ONE_ENTRY = new Set([
  ...['EPERM', 'EACCES', 'EBUSY', 'ETXTBSY'],
  ...['ENAMETOOLONG', 'EINVAL', 'EILSEQ', 'EFBIG', 'EXDEV', 'ENOTEMPTY', 'EEXIST', 'EISDIR'],
]);

export class LeftBehind {
  /** The first one that cannot be written. */
  first: ByteString | undefined;
  /** Whether an index stays as it is although the tree has another one. */
  holdsIndexes = false;
  readonly #out: OutDirectory;
  readonly #emit: Emit;
  readonly #unwritable = new Set<ByteString>();
  /** Entries that OUT has not as the tree has them, for whichever reason. */
  readonly #lacking = new Set<ByteString>();

  constructor(out: OutDirectory, emit: Emit) {
    this.#out = out;
    this.#emit = emit;
  }

  /** How many entries cannot be written. */
  get unwritable(): number {
    return this.#unwritable.size;
  }

  /** OUT has not what the tree has there. */
  lacks(path: ByteString): boolean {
    return this.#lacking.has(path);
  }

  /** How many files and symlinks were put together in the staging directory, and are there still. */
  filesIn(staging: ByteString): number {
    let files = 0;
    const left = [''];
    for (let at = left.pop(); at !== undefined; at = left.pop()) {
      for (const name of namesIn(staging, at)) {
        const path = joinBytes(at, name);
        if (lookAt(placeIn(staging, path))?.isDirectory() === true) left.push(path);
        else files++;
      }
    }
    return files;
  }

  /** It was told of already: it did not even come into the staging directory. */
  isNotStaged(path: ByteString): void {
    this.first ??= path;
    this.#unwritable.add(path);
    this.#lacking.add(path);
    if (rankOf(path) !== PLAIN) this.holdsIndexes = true;
  }

  /** @throws the error when more than this entry is concerned, or somebody else changes OUT meanwhile */
  note(path: ByteString, error: unknown): void {
    if (!OF_ONE_ENTRY.has(errnoOf(error) ?? '')) throw error;
    if (!this.#unwritable.has(path)) {
      const place = displayPath(placeIn(toBytes(this.#out.path), path));
      this.#emit({ type: 'not-restored', problem: 'unwritable', path: place, detail: reasonOf(error) });
    }
    this.isNotStaged(path);
  }

  /** Looks before anything is renamed for what stands in the way: else an index could come whose like cannot. */
  lookFor(moves: readonly Move[]): void {
    const immutable = new Map<ByteString, unknown>();
    for (const { path, before } of moves) {
      const { above } = partsOf(path);
      if (!immutable.has(above)) immutable.set(above, this.#immutability(above));
      const error = immutable.get(above) ?? (before === undefined || before.isSymbolicLink() ? undefined : this.#immutability(path));
      if (error !== undefined) this.note(path, error);
    }
  }

  /** Whether a move is to be made. */
  allows({ path, rank }: Move): boolean {
    if (rank === PLAIN || this.first === undefined) return !this.#lacking.has(path);
    this.holdsIndexes = true;
    this.#lacking.add(path);
    return false;
  }

  /** Linux says of an immutable file or directory that writing is not permitted, even to root, and of any other that it may be denied. */
  #immutability(path: ByteString): unknown {
    try {
      accessSync(fsPath(this.#out.at(path)), constants.W_OK);
    } catch (error) {
      if (errnoOf(error) === 'EPERM') return error;
    }
    return undefined;
  }
}
