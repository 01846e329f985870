/**
 * A head that is in doubt is looked through before a run starts from it. Where it is not whole, nothing is taken over from it:
 * every file is read again, so that what is missing is stored again. The stat data of a file say nothing of its blocks.
 */

import { errnoOf, isDamage, reasonOf, ShardctlError } from '../core/errors.ts';
import type { Emit } from '../core/events.ts';
import { parseCid } from '../dag/cid.ts';
import { dropDoubt, readDoubt } from '../index/files/doubts.ts';
import type { Index } from '../index/index.ts';
import type { Peer } from '../peer/peer.ts';
import { placedBlocks } from '../read/placed-blocks.ts';
import { gapsText, Wholeness } from '../read/wholeness.ts';
import type { Parent } from './parent.ts';

export interface DoubtedRun {
  readonly repository: string;
  readonly index: Index;
  readonly peers: ReadonlyMap<string, Peer>;
  readonly emit: Emit;
  readonly signal: AbortSignal;
}

export interface DoubtedHead {
  /** What the run is to start from: without entries where the tree is not whole. */
  readonly parent: Parent | undefined;
  /** Undefined once the head is known to be whole. */
  readonly doubt: Doubt | undefined;
}

/** A note that was there when the run began. */
export class Doubt {
  readonly #path: string;
  readonly #note: string;
  readonly #emit: Emit;

  constructor(path: string, note: string, emit: Emit) {
    this.#path = path;
    this.#note = note;
    this.#emit = emit;
  }

  /** The head is known to be whole now. */
  settle(): void {
    try {
      dropDoubt(this.#path, this.#note);
    } catch (error) {
      if (errnoOf(error) === undefined) throw error;
      // Somebody else's `verify` may have written it. All that it costs is another look.
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
  // With shards lost, nothing is taken over from it as it is.
  if (parent === undefined || !parent.isWhole) return { parent, doubt };
  const lacking = await lackingFrom(run, parent);
  if (lacking === undefined) return { parent, doubt };
  if (lacking === '') {
    if (mayWrite) doubt.settle();
    return { parent, doubt: undefined };
  }
  const message = `the last snapshot of ${repository} lacks ${lacking}: every file is read again, and what is missing is stored again`;
  emit({ type: 'warning', message });
  parent.entries?.close();
  return { parent: { ...parent, isWhole: false, entries: undefined }, doubt };
}

/** What the head lacks, in words; nothing when it is whole, and undefined when that cannot be told now: then the next run looks again. */
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
