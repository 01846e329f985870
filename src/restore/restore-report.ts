/** Which entries `get` could not restore, how many, and why. Tells them from failures that are not about one entry, which stop `get`. */
import { displayPath } from '../core/display.ts';
import { isPlaceFailing } from '../core/errno.ts';
import { errnoOf, isShortage, messageOf, reasonOf, ShardctlError } from '../core/errors.ts';
import type { Emit, RestoreProblem } from '../core/events.ts';
import type { ByteString } from '../core/model.ts';

/** So many entries are named for each kind of problem; the others are only counted. A peer that does not answer may have a million files. */
const MOST_NAMED = 100;

const SILENT = new Set(['TOO_FEW_PEERS', 'NOT_READABLE']);

export type RestoreProblems = { readonly [Problem in RestoreProblem]: number };

export class RestoreReport {
  readonly counts: Record<RestoreProblem, number> = { damaged: 0, away: 0, unwritable: 0 };
  readonly #emit: Emit;
  readonly #isOutThere: () => boolean;
  #stop: { readonly error: unknown } | undefined;

  /** @param isOutThere whether the directory that is restored into is still where it was */
  constructor(emit: Emit, isOutThere: () => boolean) {
    this.#emit = emit;
    this.#isOutThere = isOutThere;
  }

  /** Counts and reports an entry that cannot be restored. @throws the error itself when it is not about this entry alone */
  note(path: ByteString, error: unknown): void {
    if (this.#stop?.error === error) throw error;
    const problem = this.#problemOf(error);
    if (problem === undefined) {
      this.#stop = { error };
      throw error;
    }
    if (++this.counts[problem] <= MOST_NAMED) {
      this.#emit({ type: 'not-restored', problem, path: displayPath(path), detail: detailOf(error) });
    } else if (this.counts[problem] === MOST_NAMED + 1) {
      this.#emit({ type: 'warning', message: `more than ${MOST_NAMED} entries are ${TEXT[problem]}: the others are only counted` });
    }
  }

  #problemOf(error: unknown): RestoreProblem | undefined {
    if (isShortage(error)) return undefined;
    if (error instanceof ShardctlError) {
      if (error.code === 'DAMAGE') return 'damaged';
      if (SILENT.has(error.code)) return 'away';
      return error.code === 'USAGE' ? 'unwritable' : undefined;
    }
    const errno = errnoOf(error);
    // The place itself fails: every other entry would fail too, and trying them could do harm.
    if (errno === undefined || isPlaceFailing(errno)) return undefined;
    return errno !== 'ENOENT' || this.#isOutThere() ? 'unwritable' : undefined;
  }

  /** The error with which the run ends; undefined when everything was restored. */
  failure(out: string): ShardctlError | undefined {
    const { damaged, away, unwritable } = this.counts;
    const all = damaged + away + unwritable;
    if (all === 0) return undefined;
    const what = Object.entries(this.counts).flatMap(([problem, n]) => (n === 0 ? [] : [`${n} ${TEXT[problem as RestoreProblem]}`]));
    const code = damaged > 0 ? 'DAMAGE' : away > 0 ? 'TOO_FEW_PEERS' : 'NOT_WRITTEN';
    return new ShardctlError(code, `not all was restored into ${out}: ${what.join(', ')}; everything else is there`, { hint: HINT[code] });
  }
}

const TEXT: Readonly<Record<RestoreProblem, string>> = {
  damaged: 'damaged',
  away: 'on peers that do not answer',
  unwritable: 'impossible to write there',
};

const HINT = {
  DAMAGE: '`shardctl repair --read-data` mends what another copy has; then run this command again with --overwrite',
  TOO_FEW_PEERS: 'bring these peers back, then run this command again with --overwrite',
  NOT_WRITTEN: 'run this command again with an OUT on another file system',
} as const;

/** The path that a system call was given says nothing beside the entry's own: it may be that of something half made, or of an open directory. */
function detailOf(error: unknown): string {
  return error instanceof ShardctlError ? messageOf(error) : reasonOf(error);
}
