/** Directories as the sweep found them, so that the walk does not look at them again. Asked in walk order. */
import { type ByteString, DIRECTORY, FILE } from '../../core/model.ts';
import { keyOf } from '../../core/path-bytes.ts';
import { rawAt } from '../../index/entries/hot-file.ts';
import type { EntriesReader } from '../../index/entries/reader.ts';
import { Directory, type ParentRecord } from '../../walk/directory.ts';
import { copyStat } from '../../walk/stat-columns.ts';
import type { Recalled, SameSubtree } from '../../walk/walk-step.ts';
import type { Sweep } from './sweep.ts';
import { AS_IT_WAS, TO_LIST, type Touched } from './sweep-block.ts';

type Counts = Omit<SameSubtree, 'ordinal' | 'length'>;

const NONE = new Uint32Array(0);

export class Recall {
  readonly #entries: EntriesReader;
  readonly #sweep: Sweep;

  /** @param entries a reader of the parent's entries that nobody else uses: it is moved here */
  constructor(entries: EntriesReader, sweep: Sweep) {
    this.#entries = entries;
    this.#sweep = sweep;
  }

  /** Lets the sweep go on, if it has to, for 50 ms at most. @returns false when this directory is not known yet: ask again */
  isReady(path: ByteString): boolean {
    return !this.#isAt(path) || this.#endOfSame() !== 'unknown';
  }

  /** The directory and all that is below it, when nothing in there differs. */
  same(path: ByteString): SameSubtree | undefined {
    const end = this.#isAt(path) ? this.#endOfSame() : undefined;
    if (typeof end !== 'number') return undefined;
    const { ordinal } = this.#entries;
    const counts = { files: 0, directories: 0, symlinks: 0, bytes: 0 };
    for (let i = ordinal; i < end; i++) count(rawAt(this.#entries.skip() as Buffer, 0), counts);
    return { ordinal, length: end - ordinal, ...counts };
  }

  /** The directory as the sweep found it; undefined when it must be listed. */
  directory(
    path: ByteString,
    parent: Directory | undefined,
    indexInParent: number,
  ): (Recalled & { readonly directory: Directory }) | undefined {
    if (!this.#isAt(path) || this.#sweep.verdict(this.#entries.ordinal) === TO_LIST) return undefined;
    const record = this.#entries.next() as ParentRecord;
    const directory = Directory.asInParent(record, parent, indexInParent);
    const touched = this.#sweep.touched(record.ordinal);
    for (const [at, i] of (touched?.indexes ?? NONE).entries()) {
      copyStat(touched as Touched, at, directory, i);
    }
    return { directory, record, touched: touched?.indexes ?? NONE };
  }

  /** Whether the parent has this directory. Skips the records of directories that the walk has passed. */
  #isAt(path: ByteString): boolean {
    const key = keyOf(path);
    let next = this.#entries.peek();
    for (; next !== undefined && keyOf(next) < key; next = this.#entries.peek()) this.#entries.skip();
    return next === path;
  }

  /** @returns where the subtree of the next directory ends, in walk order, if nothing in it differs; undefined if something does */
  #endOfSame(): number | 'unknown' | undefined {
    const sweep = this.#sweep;
    const top = this.#entries.ordinal;
    for (let end = top; ; end++) {
      if (end === sweep.directories) return end;
      if (!sweep.knows(end)) return 'unknown';
      if (end > top && sweep.depth(end) <= sweep.depth(top)) return end;
      if (sweep.verdict(end) !== AS_IT_WAS) return undefined;
    }
  }
}

/** Adds what a directory of the parent has. */
export function count(
  { kinds, sizes }: Pick<ParentRecord, 'kinds' | 'sizes'>,
  counts: { -readonly [Count in keyof Counts]: number },
): void {
  for (let i = 0; i < kinds.length; i++) {
    if (kinds[i] === FILE) {
      counts.files++;
      counts.bytes += sizes[i] as number;
    } else if (kinds[i] === DIRECTORY) counts.directories++;
    else counts.symlinks++;
  }
}
