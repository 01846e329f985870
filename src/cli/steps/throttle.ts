/** `--bwlimit` as a throttle. */
import type { Throttle } from '../../peer/peer.ts';
import type { Context } from '../command-line/context.ts';

/** Loaded only where it is asked for: an update that finds nothing to do waits for nothing. */
export async function throttleAt(bytesPerSecond: number | undefined, { now, signal }: Context): Promise<Throttle | undefined> {
  return bytesPerSecond === undefined ? undefined : (await import('../../core/waiting.ts')).limitedTo(bytesPerSecond, signal, now);
}
