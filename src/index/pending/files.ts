/** The files of pending entries: `REPOSITORY/N.pending`, one for each run since the last commit that imported anything. */
import { readdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { removeUnlessBusy } from '../../core/durable-files.ts';
import { errnoOf } from '../../core/errors.ts';

const SUFFIX = '.pending';
/** Other files are left alone. */
const OURS = /^\d+\.pending$/;

export class PendingFiles {
  readonly #dir: string;

  constructor(dir: string, repository: string) {
    this.#dir = join(dir, encodeURIComponent(repository));
  }

  /** Oldest first. */
  paths(): string[] {
    return this.#numbers().map((number) => this.#path(number));
  }

  /** Path for the run that begins. */
  nextPath(): string {
    return this.#path((this.#numbers().at(-1) ?? 0) + 1);
  }

  /** Deletes all files, after a commit. */
  drop(): void {
    const paths = this.paths();
    for (const path of paths) removeUnlessBusy(path);
    if (paths.length > 0 && readdirSync(this.#dir).length === 0) rmdirSync(this.#dir);
  }

  #numbers(): number[] {
    try {
      const names = readdirSync(this.#dir).filter((name) => OURS.test(name));
      return names.map((name) => Number.parseInt(name, 10)).sort((a, b) => a - b);
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return [];
      throw error;
    }
  }

  #path(number: number): string {
    return join(this.#dir, `${number}${SUFFIX}`);
  }
}
