/**
 * Looks through a head that is in doubt before a run starts from it. If blocks of it are missing, the run reads every file again and
 * stores what is missing. Without this look the run would skip those files for ever, because their stat data have not changed.
 */
import { errnoOf, isDamage, reasonOf, ShardctlError } from '../core/errors.ts';
import type { Emit } from '../core/events.ts';
import { parseCid } from '../dag/cid.ts';
import { dropDoubt, readDoubt } from '../index/files/doubts.ts';
import type { Index } from '../index/index.ts';
import type { Peer } from '../peer/peer.ts';
import { placedBlocks } from '../read/blocks/placed-blocks.ts';
import { gapsText, Wholeness } from '../read/tree/wholeness.ts';
import type { Parent } from './parent.ts';

export interface DoubtedRun {
  readonly repository: string;
  readonly index: Index;
  readonly peers: ReadonlyMap<string, Peer>;
  readonly emit: Emit;
  readonly signal: AbortSignal;
}

export interface DoubtedHead {
  /** What the run starts from; it has no entries if the tree is not whole, so that every file is read. */
  readonly parent: Parent | undefined;
  /** Undefined once the head is known to be whole. */
  readonly doubt: Doubt | undefined;
}

/** The note of a doubt, as it was when the run began. */
export class Doubt {
  readonly #path: string;
  readonly #note: string;
  readonly #emit: Emit;

  constructor(path: string, note: string, emit: Emit) {
    this.#path = path;
    this.#note = note;
    this.#emit = emit;
  }

  /** The head is known to be whole now: the note is removed, unless somebody has written another one meanwhile. */
  refute(): void {
    try {
      dropDoubt(this.#path, this.#note);
    } catch (error) {
      if (errnoOf(error) === undefined) throw error;
      // It may belong to another user, whose `verify` wrote it. The next run looks through the head once more, nothing else.
      this.#emit({
        type: 'warning',
        message: `${this.#path} cannot be removed (${reasonOf(error)}): each run looks through the last snapshot until it is`,
      });
    }
  }
}

/**
 * @param parent as it would be without the doubt; its entries are closed where they are of no use
 * @param mayWrite false for a dry run, which leaves the note where it is
 */
export async function lookAgain(run: DoubtedRun, parent: Parent | undefined, mayWrite: boolean): Promise<DoubtedHead> {
  const { index, repository, emit } = run;
  const path = index.doubtOf(repository);
  const note = readDoubt(path);
  if (note === undefined) return { parent, doubt: undefined };
  const doubt = new Doubt(path, note, emit);
  // Shards of it are lost: every file is read again in any case.
  if (parent === undefined || !parent.isWhole) return { parent, doubt };
  const lacking = await lackingFrom(run, parent);
  if (lacking === undefined) return { parent, doubt };
  if (lacking === '') {
    if (mayWrite) doubt.refute();
    return { parent, doubt: undefined };
  }
  const message = `the last snapshot of ${repository} lacks ${lacking}: every file is read again, and what is missing is stored again`;
  emit({ type: 'warning', message });
  parent.entries?.close();
  return { parent: { ...parent, isWhole: false, entries: undefined }, doubt };
}

/** @returns what the head lacks, in words; an empty text when it is whole; undefined when that cannot be told now, and the next run looks again */
async function lackingFrom({ index, peers, repository, emit, signal }: DoubtedRun, { snapshot }: Parent): Promise<string | undefined> {
  const blocks = placedBlocks(index, peers, { signal });
  try {
    const gaps = await new Wholeness({ index, blocks, emit, signal }).gaps(parseCid(snapshot.tree), new Set(snapshot.shards));
    return gaps.missing === 0 ? '' : gapsText(gaps);
  } catch (error) {
    if (!(error instanceof ShardctlError) || signal.aborted) throw error;
    if (isDamage(error)) return `what is below a damaged node (${error.message})`;
    emit({
      type: 'warning',
      message: `whether the last snapshot of ${repository} is whole cannot be told: ${error.message}`,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
    });
    return undefined;
  } finally {
    await blocks.close();
  }
}
