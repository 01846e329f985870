/** What a peer says of its space, held against what can be. */
import { ShardctlError } from '../../core/errors.ts';
import type { Metric } from '../../core/model.ts';
import type { Peer } from '../../peer/peer.ts';

/** A metric from longer ago says nothing about now. */
const STALE_MS = 10 * 60_000;

/** A figure that cannot be is no figure. @throws ShardctlError `TOO_FEW_PEERS`: nobody knows what fits there */
export function validMetric(peer: Peer, { freeBytes, usedBytes, at }: Metric, now: number): Metric {
  if (!Number.isFinite(freeBytes) || freeBytes > Number.MAX_SAFE_INTEGER) {
    throw new ShardctlError('TOO_FEW_PEERS', `peer "${peer.name}" says that ${freeBytes} bytes are free, which cannot be`, {
      hint: 'give it a --capacity with `shardctl peers set`',
    });
  }
  if (now - at > STALE_MS) {
    throw new ShardctlError(
      'TOO_FEW_PEERS',
      `peer "${peer.name}" has not said for ${Math.round((now - at) / 60_000)} minutes what is free on it`,
    );
  }
  // Less than nothing is what a peer says that holds more than it should. A clock that is ahead must not cover what comes later.
  return { freeBytes: Math.max(0, freeBytes), usedBytes, at: Number.isFinite(at) ? Math.min(at, now) : now };
}
