/** One put on one peer: tried again, after a pause, for as long as the peer says that this may help. */

import { sleep } from '../../core/concurrency.ts';
import { ShardctlError } from '../../core/errors.ts';
import type { Emit } from '../../core/events.ts';
import type { Peer, PutOptions, SealedShard } from '../../peer/peer.ts';

const RETRY_DELAYS_MS: readonly number[] = [500, 2_000, 8_000];

export interface Retrying {
  readonly emit: Emit;
  /** Pauses between one try and the next. */
  readonly retryDelaysMs?: readonly number[];
}

/**
 * Waits for a put no longer than until it is given up, whatever it still has to settle with a peer that does not answer. Should the
 * shard arrive there all the same, it is a stray: it was announced.
 * @throws the signal's reason
 */
export async function untilGivenUp(putting: Promise<void>, givenUp: AbortSignal): Promise<void> {
  let stop = () => {};
  const end = new Promise<never>((_, reject) => {
    stop = () => reject(givenUp.reason);
    givenUp.addEventListener('abort', stop, { once: true });
  });
  await Promise.race([putting, end]).finally(() => givenUp.removeEventListener('abort', stop));
}

/** @throws what the last try failed with */
export async function putWithRetries(peer: Peer, shard: SealedShard, options: PutOptions, retrying: Retrying): Promise<void> {
  const { emit, retryDelaysMs = RETRY_DELAYS_MS } = retrying;
  for (const delayMs of retryDelaysMs) {
    try {
      return await peer.put(shard, options);
    } catch (error) {
      if (options.signal.aborted || !(error instanceof ShardctlError) || !error.retryable) throw error;
      emit({ type: 'retry', peer: peer.name, what: shard.label, seconds: delayMs / 1000, reason: error.message });
      await sleep(delayMs, options.signal);
    }
  }
  await peer.put(shard, options);
}
