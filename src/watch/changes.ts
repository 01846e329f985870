/** What has changed since the last update was told: names, by directory. */
import type { ByteString } from '../core/model.ts';
import { joinBytes } from '../core/path-bytes.ts';

/** From so many names on a look at everything takes no longer, and the memory for them is not worth it. */
export const MOST_NAMES = 100_000;

export class Changes {
  /** By directory, and by name: whether all that is below it is meant, too. */
  readonly #byDirectory = new Map<ByteString, Map<ByteString, boolean>>();
  #count = 0;
  #isRootTouched = false;
  #isTooMuch = false;
  #tellings = 0;

  get isEmpty(): boolean {
    return this.#count === 0 && !this.#isRootTouched && !this.#isTooMuch;
  }

  /** Names that are told. */
  get count(): number {
    return this.#count;
  }

  /** How often something was told: it grows as long as anything changes, also the same name again. */
  get tellings(): number {
    return this.#tellings;
  }

  /** There were so many that they were not kept. */
  get isTooMuch(): boolean {
    return this.#isTooMuch;
  }

  /** @param directory its path; the root of the source is the empty path @param isWhole all that is below the entry is meant, too */
  tell(directory: ByteString, name: ByteString, isWhole: boolean): void {
    this.#tellings++;
    if (this.#isTooMuch) return;
    const names = this.#byDirectory.get(directory) ?? new Map<ByteString, boolean>();
    this.#byDirectory.set(directory, names);
    const before = names.get(name);
    if (before === undefined) this.#count++;
    if (before !== true) names.set(name, isWhole);
    if (this.#count > MOST_NAMES) this.#giveUp();
  }

  /** Mode or times of the root itself. */
  touchRoot(): void {
    this.#tellings++;
    this.#isRootTouched = true;
  }

  /** As `update --files-from` reads it: each path ended by NUL, with a slash before that where all below it is meant. */
  list(): Buffer {
    const paths: ByteString[] = [];
    for (const [directory, names] of this.#byDirectory)
      for (const [name, isWhole] of names) paths.push(`${joinBytes(directory, name)}${isWhole ? '/' : ''}\0`);
    return Buffer.from(paths.join(''), 'latin1');
  }

  #giveUp(): void {
    this.#isTooMuch = true;
    this.#byDirectory.clear();
    this.#count = 0;
  }
}
