/** The files of each repository's entries: `REPOSITORY/N.hot` and `N.cold` for snapshot N. */
import { existsSync, readdirSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { makeDirectories, removeUnlessBusy, syncDirectory } from '../../core/durable-files.ts';
import { errnoOf } from '../../core/errors.ts';
import { EntriesDamaged, type RootStat } from './format.ts';
import { EntriesReader } from './reader.ts';
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
    const { dir, hot, cold } = this.#paths(repository, number);
    makeDirectories(dir);
    return new EntriesWriter(hot, cold, root, isRacy);
  }

  /** What was written for `from` takes the place of what snapshot `to` has. */
  move(repository: string, from: number, to: number): void {
    const source = this.#paths(repository, from);
    const target = this.#paths(repository, to);
    // A crash between the two leaves a hot and a cold file of different pairs, which `read` refuses.
    renameSync(source.cold, target.cold);
    renameSync(source.hot, target.hot);
  }

  drop(repository: string, number: number): void {
    const { hot, cold } = this.#paths(repository, number);
    removeUnlessBusy(hot);
    removeUnlessBusy(cold);
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
      if (number !== head) this.drop(repository, number);
    }
  }

  #paths(repository: string, number: number): { dir: string; hot: string; cold: string } {
    const dir = join(this.#dir, encodeURIComponent(repository));
    return { dir, hot: join(dir, `${number}.hot`), cold: join(dir, `${number}.cold`) };
  }
}
