/**
 * The directories of a source, each with a watch, and what their events say of the tree.
 *
 * Node's `fs.watch` does not do: it gives names as UTF-8, so that others cannot be told from one another; it keeps back that the queue
 * has overflowed; and what is made in a new directory before it is watched, too, is lost. `fanotify` would watch a file system at once,
 * but needs CAP_SYS_ADMIN for that, and the right to open any file for the names; a repository of a million files has some thousand
 * directories, and a watch of each is about 1 KiB in the kernel.
 *
 * **Nothing is missed**: a directory is first watched, then listed. What is in it by then is found by the list, what comes later by an
 * event. Events come in the order in which things happened, so the path of a directory may be out of date when one is read: the event
 * that says so is behind it in the queue, and puts it right. A directory that has moved is forgotten with all below it, and watched
 * anew where it is; a watch that was removed has told its last by then, as its new place is looked at as a whole.
 *
 * What cannot be told for certain ends the tree (`doubt`): it is then made anew, and everything is looked at.
 */
import { opendirSync, statSync } from 'node:fs';
import { errnoName } from '../core/errno.ts';
import { errnoOf } from '../core/errors.ts';
import type { ByteString } from '../core/model.ts';
import { fsPath, joinBytes } from '../core/path-bytes.ts';
import type { OpenDirectory, Reach } from '../source/reach.ts';
import type { Filter } from '../update/scan/filter.ts';
import type { Changes } from './changes.ts';
import { type FileSystem, FileSystems } from './file-systems.ts';
import { IN, type InotifyEvent, type Watches } from './inotify.ts';
import type { Place } from './places.ts';
import { isThere, newDirectory, type WatchedDirectory } from './watched-directory.ts';

const OF_DIRECTORY =
  IN.modify |
  IN.attrib |
  IN.closeWrite |
  IN.movedFrom |
  IN.movedTo |
  IN.create |
  IN.delete |
  IN.deleteSelf |
  IN.moveSelf |
  IN.onlyDirectory |
  IN.exclUnlink;
/** Of a directory on the way to the source: only that another one takes the place of what the way goes on with. */
const OF_PLACE = IN.movedFrom | IN.movedTo | IN.create | IN.delete | IN.onlyDirectory;

/**
 * Why the tree tells of changes no more. `unknown directory`: an event names none that is watched; `limit`: the system allows no
 * further watch; `remote`: what others change in the file system is no event here; `ended`: nobody listens any more.
 */
export type Doubt = 'overflow' | 'unmounted' | 'source moved' | 'unknown directory' | 'limit' | 'remote' | 'ended';

export interface WatchedTreeOptions {
  readonly filter: Filter;
  readonly watches: Watches;
  /** The way to the source. */
  readonly places: readonly Place[];
  /** Takes what changes from now on. */
  readonly changes: () => Changes;
  /** Told of a name that has come. */
  readonly onCame: (directory: ByteString, name: ByteString) => void;
}

export class WatchedTree {
  readonly #options: WatchedTreeOptions;
  readonly #byWatch = new Map<number, WatchedDirectory>();
  /** Watches that were removed, whose last events may still come. */
  readonly #removed = new Set<number>();
  readonly #root: WatchedDirectory = newDirectory(undefined, '', '');
  /** Directories that are to be watched and listed. */
  readonly #toWatch: WatchedDirectory[] = [this.#root];
  readonly #fileSystems = new FileSystems();
  /** By the watch of a directory on the way to the source: with which names in it the way goes on. */
  readonly #places = new Map<number, Set<ByteString>>();
  #doubt: Doubt | undefined;
  #isTwofold = false;

  constructor(options: WatchedTreeOptions) {
    this.#options = options;
    const { watches, places } = options;
    for (const { directory, name } of places) {
      const watch = watches.add(directory, OF_PLACE);
      // It may not be readable; then nothing is heard of a symlink in it that leads elsewhere now.
      if (watch >= 0) this.#places.set(watch, (this.#places.get(watch) ?? new Set()).add(name));
    }
  }

  /** Set for good once the tree can be trusted no more. */
  get doubt(): Doubt | undefined {
    return this.#doubt;
  }

  /** Every directory is watched that is known. */
  get isComplete(): boolean {
    return this.#toWatch.length === 0;
  }

  /** Directories that are watched. */
  get count(): number {
    return this.#byWatch.size;
  }

  /** A directory is in two places, by a bind mount: an event tells of one of them alone. */
  get isTwofold(): boolean {
    return this.#isTwofold;
  }

  /** The paths of the directories that are watched. */
  *paths(): Generator<ByteString, void, void> {
    for (const { path } of this.#byWatch.values()) yield path;
  }

  /**
   * Watches and lists one directory that is known and not watched yet. Does nothing when there is none.
   * @param reach into the source @throws the system call's error when the root cannot be opened
   */
  watchNext(reach: Pick<Reach, 'inDirectory'>): void {
    const directory = this.#toWatch.pop();
    if (directory === undefined || directory.isForgotten || this.#doubt !== undefined) return;
    try {
      reach.inDirectory(directory.path, (open) => this.#watch(directory, open, reach), 'quickly');
    } catch (error) {
      // Gone or replaced: an event says so. Unreadable: to the scan, too; a change of its mode is an event of the directory above.
      if (errnoOf(error) === undefined || directory === this.#root) throw error;
      this.#forget(directory);
    }
  }

  /** Nothing that it tells from now on can be trusted. */
  giveUp(doubt: Doubt): void {
    this.#doubt ??= doubt;
    this.#toWatch.length = 0;
  }

  /** Takes the next event of the queue. */
  take({ watch, mask, name }: InotifyEvent): void {
    if (this.#doubt !== undefined) return;
    const names = this.#places.get(watch);
    if ((mask & IN.overflow) !== 0) this.giveUp('overflow');
    else if (names !== undefined && (hasMoved(names, mask, name) || (mask & IN.ignored) !== 0)) this.giveUp('source moved');
    // A directory on the way may be in the source as well, where that is reached by a symlink.
    else if (names === undefined || this.#byWatch.has(watch)) this.#ofWatch(watch, mask, name);
  }

  #ofWatch(watch: number, mask: number, name: ByteString): void {
    const directory = this.#byWatch.get(watch);
    if (directory === undefined) {
      if (!this.#removed.has(watch)) this.giveUp('unknown directory');
      else if ((mask & IN.ignored) !== 0) this.#removed.delete(watch);
    } else if ((mask & IN.unmount) !== 0) this.giveUp('unmounted');
    else if (name === '') this.#ofItself(directory, mask);
    else this.#ofEntry(directory, mask, name);
  }

  #ofItself(directory: WatchedDirectory, mask: number): void {
    const isRoot = directory === this.#root;
    if (isRoot && (mask & (IN.deleteSelf | IN.moveSelf | IN.ignored)) !== 0) {
      this.giveUp('source moved');
      return;
    }
    if (isRoot && (mask & IN.attrib) !== 0) this.#options.changes().touchRoot();
    if ((mask & IN.ignored) === 0) return;
    // The directory is gone, and its watch with it. That its name is, too, was told before; else another one was moved onto it.
    this.#byWatch.delete(directory.watch);
    directory.watch = -1;
    this.#forget(directory);
    if (directory.above !== undefined) this.#lookAgain(directory.above, directory.name);
  }

  #ofEntry(directory: WatchedDirectory, mask: number, name: ByteString): void {
    const isDirectory = (mask & IN.isDirectory) !== 0;
    const path = joinBytes(directory.path, name);
    if (this.#options.filter.excludes(path, isDirectory)) return;
    const known = directory.below?.get(name);
    const isGone = (mask & (IN.delete | IN.movedFrom)) !== 0;
    const hasCome = (mask & (IN.create | IN.movedTo)) !== 0;
    if (hasCome) this.#options.onCame(directory.path, name);
    if (isDirectory && isGone && known !== undefined) this.#forget(known);
    // One that could not be read, and may be now, is new, too.
    const isNew = isDirectory && !isGone && (hasCome || known === undefined);
    if (isNew) this.#toWatch.push(known ?? this.#found(directory, name));
    // Of two that take each other's place the second has come under its new name before it goes from there.
    if (isDirectory && (mask & IN.movedFrom) !== 0) this.#lookAgain(directory, name);
    else this.#options.changes().tell(directory.path, name, isNew);
  }

  /** Under this name there may be another directory already. */
  #lookAgain(above: WatchedDirectory, name: ByteString): void {
    this.#toWatch.push(this.#found(above, name));
    this.#options.changes().tell(above.path, name, true);
  }

  #found(above: WatchedDirectory, name: ByteString): WatchedDirectory {
    const directory = newDirectory(above, name, joinBytes(above.path, name));
    above.below ??= new Map();
    above.below.set(name, directory);
    return directory;
  }

  #watch(directory: WatchedDirectory, open: OpenDirectory, reach: Pick<Reach, 'inDirectory'>): void {
    const { watches } = this.#options;
    const fileSystem = this.#fileSystems.of(statSync(fsPath(open.prefix)).dev, open.prefix);
    if (fileSystem.isRemote) {
      this.giveUp('remote');
      return;
    }
    let watch = watches.add(open.prefix, OF_DIRECTORY);
    // It was watched there before, and all below it: nothing else has come in its place.
    if (watch >= 0 && watch === directory.watch) return;
    const elsewhere = this.#byWatch.get(watch);
    if (elsewhere !== undefined && isThere(elsewhere, open, reach)) {
      this.#isTwofold = true;
      this.#forget(directory);
      return;
    }
    if (elsewhere !== undefined) {
      // It has moved here, and the event that says so is still to come.
      this.#forget(elsewhere);
      watch = watches.add(open.prefix, OF_DIRECTORY);
    }
    if (watch < 0) {
      this.#notWatched(directory, errnoName(-watch));
      return;
    }
    this.#forgetBelow(directory);
    this.#unwatch(directory);
    directory.watch = watch;
    this.#byWatch.set(watch, directory);
    this.#list(directory, open, fileSystem);
  }

  #notWatched(directory: WatchedDirectory, errno: string): void {
    if (errno === 'ENOSPC' || errno === 'ENOMEM') this.giveUp('limit');
    else if (directory === this.#root) throw Object.assign(new Error(`${errno}: the source cannot be watched`), { code: errno });
    else this.#forget(directory);
  }

  #list(directory: WatchedDirectory, { prefix }: OpenDirectory, { countsSubdirectories }: FileSystem): void {
    if (countsSubdirectories && statSync(fsPath(prefix)).nlink === 2) return;
    // Not as one array: a directory may have a million entries. Names as bytes, which the declarations of Node do not know of.
    const listing = opendirSync(fsPath(prefix), { encoding: 'buffer' as BufferEncoding, bufferSize: 512 });
    try {
      for (let entry = listing.readSync(); entry !== null; entry = listing.readSync()) {
        if (!entry.isDirectory()) continue;
        const name = (entry.name as unknown as Buffer).toString('latin1');
        if (this.#options.filter.excludes(joinBytes(directory.path, name), true)) continue;
        this.#toWatch.push(this.#found(directory, name));
      }
    } finally {
      listing.closeSync();
    }
  }

  /** With all below it. */
  #forget(directory: WatchedDirectory): void {
    directory.isForgotten = true;
    this.#forgetBelow(directory);
    this.#unwatch(directory);
    const beside = directory.above?.below;
    if (beside?.get(directory.name) === directory) beside.delete(directory.name);
  }

  #forgetBelow(directory: WatchedDirectory): void {
    for (const below of directory.below?.values() ?? []) this.#forget(below);
    directory.below = undefined;
  }

  #unwatch(directory: WatchedDirectory): void {
    if (directory.watch < 0) return;
    this.#byWatch.delete(directory.watch);
    this.#removed.add(directory.watch);
    this.#options.watches.remove(directory.watch);
    directory.watch = -1;
  }
}

/** What the way goes on with is another now; what is written into it, or its times, are none of the way. */
function hasMoved(names: ReadonlySet<ByteString>, mask: number, name: ByteString): boolean {
  return names.has(name) && (mask & (IN.movedFrom | IN.movedTo | IN.create | IN.delete)) !== 0;
}
