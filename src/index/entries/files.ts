/**
 * The files of each repository's entries: `REPOSITORY/N.hot`, `N.cold` and `N.blocks` for snapshot N; or `N.patch` with `N.patch-hot`,
 * `N.patch-cold` and `N.patch-blocks`, which count with the files of the older snapshot that `N.patch` names.
 */
import { closeSync, existsSync, mkdtempSync, openSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { flushSync, makeDirectories, removeUnlessBusy, syncDirectory } from '../../core/durable-files.ts';
import { errnoOf } from '../../core/errors.ts';
import { removeTreeSync } from '../../core/remove-file.ts';
import { EntriesDamaged, type RootStat } from './format.ts';
import type { EntriesRecord } from './hot-file.ts';
import { readPatchNote, writePatchNote } from './patch-note.ts';
import { EntriesReader } from './reader.ts';
import { type PartPaths, StoredEntries, type WholeEntries } from './stored-entries.ts';
import { EntriesWriter } from './writer.ts';

interface SnapshotPaths {
  readonly dir: string;
  readonly whole: PartPaths;
  readonly patch: PartPaths;
  /** Of the patch's note: without it a patch does not count. */
  readonly note: string;
  /** What is being written. */
  readonly fresh: PartPaths;
}

export class EntriesFiles {
  readonly #dir: string;
  readonly #readOnly: boolean;

  constructor(dir: string, readOnly: boolean) {
    this.#dir = dir;
    this.#readOnly = readOnly;
  }

  /** @returns undefined when the entries are lost or damaged: then every file of the source is read again */
  read(repository: string, number: number): StoredEntries | undefined {
    const { whole, patch, note: notePath } = this.#paths(repository, number);
    const note = readPatchNote(notePath);
    const makeWhole = (stored: StoredEntries) => this.#madeWhole(repository, number, stored);
    const patched = () => note && StoredEntries.patched(note, patch, this.#paths(repository, note.base).whole, makeWhole);
    return unlessDamaged(patched) ?? unlessDamaged(() => StoredEntries.whole(number, whole));
  }

  write(repository: string, number: number, root: RootStat, isRacy: (ctimeNs: bigint) => boolean): EntriesWriter {
    const { dir, whole } = this.#paths(repository, number);
    makeDirectories(dir);
    // A patch that a run has left which died would count instead of what is written now.
    this.drop(repository, number);
    return new EntriesWriter(whole, root, isRacy);
  }

  /**
   * Writes the entries of a snapshot of which only a few directories are given: the rest is the parent's, and is not copied as long as
   * the patch stays small.
   * @param replaced the parent's records of those directories, and of all that are not there any more, in walk order
   */
  patch(
    repository: string,
    number: number,
    parent: StoredEntries,
    replaced: readonly EntriesRecord[],
    root: RootStat,
    isRacy: (ctimeNs: bigint) => boolean,
  ): Pick<EntriesWriter, 'enter' | 'leave' | 'finish' | 'abandon'> {
    const { dir, whole, patch, note, fresh } = this.#paths(repository, number);
    makeDirectories(dir);
    this.drop(repository, number);
    const writer = new EntriesWriter(fresh, root, isRacy);
    return {
      enter: (directory) => writer.enter(directory),
      leave: (directory) => writer.leave(directory),
      finish: () => {
        writer.finish(false);
        const patched = parent.patchedBy(fresh, replaced, patch);
        try {
          if (patched.isMuchPatched) {
            patched.writeWhole(whole);
            removeParts(patch);
            return;
          }
          for (const path of [patch.hot, patch.cold]) flushFile(path);
          writePatchNote(note, patched.note());
        } finally {
          patched.closePatch();
        }
      },
      abandon: () => {
        writer.abandon();
        removeParts(fresh);
      },
    };
  }

  /** When the first run was told what has changed since a run has looked at everything, in milliseconds since 1970. */
  toldSince(repository: string): number | undefined {
    try {
      return Number(readFileSync(this.#toldPath(repository), 'utf8'));
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return undefined;
      throw error;
    }
  }

  /** Notes that a run has looked only at what it was told, or, without a time, that one has looked at everything. */
  noteTold(repository: string, at: number | undefined): void {
    const path = this.#toldPath(repository);
    if (existsSync(path) === (at !== undefined)) return;
    if (at === undefined) removeUnlessBusy(path);
    else writeFileSync(path, String(at));
  }

  #toldPath(repository: string): string {
    return join(this.#paths(repository, 0).dir, 'told');
  }

  /** What was written for `from` takes the place of what snapshot `to` has. */
  move(repository: string, from: number, to: number): void {
    const source = this.#paths(repository, from);
    const target = this.#paths(repository, to);
    if (existsSync(source.note)) {
      renameParts(source.patch, target.patch);
      renameSync(source.note, target.note);
    } else {
      renameParts(source.whole, target.whole);
      this.#dropPatch(target);
    }
  }

  drop(repository: string, number: number): void {
    const paths = this.#paths(repository, number);
    this.#dropPatch(paths);
    for (const parts of [paths.whole, paths.fresh]) removeParts(parts);
  }

  /** Makes the names of the files durable. Their contents are since the writer finished. */
  sync(repository: string): void {
    const { dir } = this.#paths(repository, 0);
    // A repository that `recover` brought here has no entries yet.
    if (existsSync(dir)) for (const path of [dir, dirname(dir)]) syncDirectory(path);
  }

  /** Drops the entries of all snapshots but the newest, and the base of that: an update compares the source with that one only. */
  keepOnly(repository: string, head: number): void {
    const { dir, note } = this.#paths(repository, head);
    const base = readPatchNote(note)?.base;
    for (const name of existsSync(dir) ? readdirSync(dir) : []) {
      const number = Number.parseInt(name, 10);
      if (number === base) this.#dropPatch(this.#paths(repository, number));
      else if (!Number.isNaN(number) && number !== head) this.drop(repository, number);
    }
  }

  /** Whole entries in the place of a patched snapshot's, or, where nothing may be written, in a directory of their own. */
  #madeWhole(repository: string, number: number, stored: StoredEntries): WholeEntries {
    if (this.#readOnly) {
      const dir = mkdtempSync(join(tmpdir(), 'shardctl-entries-'));
      const remove = () => removeTreeSync(dir);
      try {
        return { entries: wholeAt(stored, partsIn(dir, '')), remove };
      } catch (error) {
        remove();
        throw error;
      }
    }
    const paths = this.#paths(repository, number);
    wholeAt(stored, paths.fresh).close();
    renameParts(paths.fresh, paths.whole);
    // Their names must be durable before those go that they were made from.
    syncDirectory(paths.dir);
    this.#dropPatch(paths);
    if (stored.baseNumber !== number) removeParts(this.#paths(repository, stored.baseNumber).whole);
    return { entries: EntriesReader.open(paths.whole.hot, paths.whole.cold) };
  }

  #dropPatch({ note, patch }: SnapshotPaths): void {
    removeUnlessBusy(note);
    removeParts(patch);
  }

  #paths(repository: string, number: number): SnapshotPaths {
    const dir = join(this.#dir, encodeURIComponent(repository));
    return {
      dir,
      whole: partsIn(dir, `${number}.`),
      patch: partsIn(dir, `${number}.patch-`),
      note: join(dir, `${number}.patch`),
      fresh: partsIn(dir, `${number}.fresh-`),
    };
  }
}

function partsIn(dir: string, prefix: string): PartPaths {
  return { hot: join(dir, `${prefix}hot`), cold: join(dir, `${prefix}cold`), blocks: join(dir, `${prefix}blocks`) };
}

function wholeAt(stored: StoredEntries, out: PartPaths): EntriesReader {
  stored.writeWhole(out);
  return EntriesReader.open(out.hot, out.cold);
}

function renameParts(from: PartPaths, to: PartPaths): void {
  // A crash between the two leaves a hot and a cold file of different pairs, which `read` refuses.
  renameSync(from.cold, to.cold);
  renameSync(from.hot, to.hot);
  renameSync(from.blocks, to.blocks);
}

function removeParts({ hot, cold, blocks }: PartPaths): void {
  for (const path of [hot, cold, blocks]) removeUnlessBusy(path);
}

function flushFile(path: string): void {
  const fd = openSync(path, 'r');
  try {
    flushSync(fd);
  } finally {
    closeSync(fd);
  }
}

function unlessDamaged(read: () => StoredEntries | undefined): StoredEntries | undefined {
  try {
    return read();
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || error instanceof EntriesDamaged) return undefined;
    throw error;
  }
}
