/** The files of each repository's entries: `REPOSITORY/N.hot`, `N.cold` and `N.blocks` for snapshot N. */
import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { makeDirectories, removeUnlessBusy, syncDirectory } from '../../core/durable-files.ts';
import { errnoOf } from '../../core/errors.ts';
import { EntriesDamaged, type RootStat } from './format.ts';
import { type EntriesPatch, patchEntries } from './patch.ts';
import { EntriesReader } from './reader.ts';
import { EntriesLookup } from './some-entries.ts';
import { EntriesWriter } from './writer.ts';

export class EntriesFiles {
  readonly #dir: string;

  constructor(dir: string) {
    this.#dir = dir;
  }

  /** @returns undefined when the entries are lost or damaged: then every file of the source is read again */
  read(repository: string, number: number): EntriesReader | undefined {
    const { hot, cold } = this.#paths(repository, number);
    try {
      return EntriesReader.open(hot, cold);
    } catch (error) {
      if (errnoOf(error) === 'ENOENT' || error instanceof EntriesDamaged) return undefined;
      throw error;
    }
  }

  write(repository: string, number: number, root: RootStat, isRacy: (ctimeNs: bigint) => boolean): EntriesWriter {
    const { dir, ...paths } = this.#paths(repository, number);
    makeDirectories(dir);
    return new EntriesWriter(paths, root, isRacy);
  }

  /** Finds single directories in what `read` has opened. */
  lookup(repository: string, number: number, entries: EntriesReader): EntriesLookup {
    return new EntriesLookup(entries, this.#paths(repository, number).blocks);
  }

  /**
   * Writes the entries of a snapshot of which only a few directories are given: the rest is the parent's.
   * @param replaced the parent's records of those directories, and of all that are not there any more, in walk order
   */
  patch(
    repository: string,
    number: number,
    base: EntriesReader,
    { blocks, replaced }: Pick<EntriesPatch, 'blocks' | 'replaced'>,
    root: RootStat,
    isRacy: (ctimeNs: bigint) => boolean,
  ): Pick<EntriesWriter, 'enter' | 'leave' | 'finish' | 'abandon'> {
    const { dir, ...out } = this.#paths(repository, number);
    makeDirectories(dir);
    const parts = { hot: `${out.hot}-patch`, cold: `${out.cold}-patch` };
    const writer = new EntriesWriter(parts, root, isRacy);
    const drop = () => {
      for (const path of Object.values(parts)) removeUnlessBusy(path);
    };
    return {
      enter: (directory) => writer.enter(directory),
      leave: (directory) => writer.leave(directory),
      finish: () => {
        writer.finish(false);
        const patch = EntriesReader.open(parts.hot, parts.cold);
        try {
          patchEntries({ base, blocks, replaced, patch }, out);
        } finally {
          patch.close();
          drop();
        }
      },
      abandon: () => {
        writer.abandon();
        drop();
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
    // A crash between the two leaves a hot and a cold file of different pairs, which `read` refuses.
    renameSync(source.cold, target.cold);
    renameSync(source.hot, target.hot);
    renameSync(source.blocks, target.blocks);
  }

  drop(repository: string, number: number): void {
    const { hot, cold, blocks } = this.#paths(repository, number);
    for (const path of [hot, cold, blocks]) removeUnlessBusy(path);
  }

  /** Makes the names of the files durable. Their contents are since the writer finished. */
  sync(repository: string): void {
    const { dir } = this.#paths(repository, 0);
    // A repository that `recover` brought here has no entries yet.
    if (existsSync(dir)) for (const path of [dir, dirname(dir)]) syncDirectory(path);
  }

  /** Drops the entries of all snapshots but the newest: an update compares the source with that one only. */
  keepOnly(repository: string, head: number): void {
    const { dir } = this.#paths(repository, head);
    for (const name of existsSync(dir) ? readdirSync(dir) : []) {
      const number = Number.parseInt(name, 10);
      if (!Number.isNaN(number) && number !== head) this.drop(repository, number);
    }
  }

  #paths(repository: string, number: number): { dir: string; hot: string; cold: string; blocks: string } {
    const dir = join(this.#dir, encodeURIComponent(repository));
    return { dir, hot: join(dir, `${number}.hot`), cold: join(dir, `${number}.cold`), blocks: join(dir, `${number}.blocks`) };
  }
}
