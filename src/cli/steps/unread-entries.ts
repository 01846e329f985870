/** What `ls`, `find` and `du` could not read of trees: the first of it is named, all of it is counted, and the rest is read. */
import { displayPath } from '../../core/display.ts';
import { isDamage, isShortage, ShardctlError } from '../../core/errors.ts';
import type { ByteString } from '../../core/model.ts';
import { BoundlessTree } from '../../read/tree/repetition.ts';
import type { Context } from '../command-line/context.ts';
import { counted } from '../reporter/text.ts';

/** A peer that does not answer may have a million entries. */
const MOST_NAMED = 100;

export class UnreadEntries {
  readonly #context: Context;
  #count = 0;
  #damaged = 0;

  constructor(context: Context) {
    this.#context = context;
  }

  /** For a walk: notes that it goes on without this entry; the empty path is the directory that is walked. @throws the error itself when it is not about this entry alone */
  readonly failed = (path: ByteString, error: unknown): undefined => {
    if (this.#context.signal.aborted || error instanceof BoundlessTree || isShortage(error)) throw error;
    const isAway = error instanceof ShardctlError && (error.code === 'TOO_FEW_PEERS' || error.code === 'NOT_READABLE');
    if (!isAway && !isDamage(error)) throw error;
    if (!isAway) this.#damaged++;
    if (++this.#count <= MOST_NAMED)
      this.#context.reporter.event({ type: 'unread', path: path === '' ? '.' : displayPath(path), detail: error.message });
  };

  /** To be called at the end. @throws ShardctlError `DAMAGE` or `TOO_FEW_PEERS` when something was missing */
  assertNone(): void {
    if (this.#count === 0) return;
    const more = this.#count > MOST_NAMED ? `, of which the first ${MOST_NAMED} are named` : '';
    const message = `${counted(this.#count, 'entry')} could not be read${more}; all else is there`;
    if (this.#damaged === 0) throw new ShardctlError('TOO_FEW_PEERS', message, { hint: 'bring these peers back, then run this again' });
    throw new ShardctlError('DAMAGE', message, { hint: '`shardctl repair --read-data` mends what another copy has' });
  }
}
