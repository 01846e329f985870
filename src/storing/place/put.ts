/** One put on one peer, tried again after a pause when the peer's error says that this may help. */

import { ShardctlError } from '../../core/errors.ts';
import type { Emit } from '../../core/events.ts';
import { retrying } from '../../core/waiting.ts';
import type { Peer, PutOptions, SealedShard } from '../../peer/peer.ts';

const RETRY_DELAYS_MS: readonly number[] = [500, 2_000, 8_000];

export interface PutTries {
  readonly emit: Emit;
  /** Pauses between one attempt and the next; as many attempts and one more are made. */
  readonly retryDelaysMs?: readonly number[] | undefined;
  /** Called before each pause. */
  readonly onFailure?: () => void;
}

/** @throws what the last attempt failed with */
export async function putWithRetries(peer: Peer, shard: SealedShard, options: PutOptions, tries: PutTries): Promise<void> {
  const { emit, onFailure, retryDelaysMs = RETRY_DELAYS_MS } = tries;
  const pauseAfter = (error: unknown, attempt: number) => {
    const pauseMs = retryDelaysMs[attempt - 1];
    if (pauseMs === undefined || options.signal.aborted || !(error instanceof ShardctlError) || !error.retryable) return undefined;
    onFailure?.();
    emit({ type: 'retry', peer: peer.name, what: shard.label, seconds: pauseMs / 1000, reason: error.message });
    return pauseMs;
  };
  await retrying(() => peer.put(shard, options), pauseAfter, options.signal);
}
