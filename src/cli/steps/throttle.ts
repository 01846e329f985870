/** `--bwlimit` as a throttle. */
import type { Throttle } from '../../peer/peer.ts';
import type { Context } from '../command-line/context.ts';

/** What it needs is loaded only when there is a limit: an update that finds nothing to do should not wait for that. */
export async function throttleAt(bytesPerSecond: number | undefined, { now, signal }: Context): Promise<Throttle | undefined> {
  return bytesPerSecond === undefined ? undefined : (await import('../../core/waiting.ts')).limitedTo(bytesPerSecond, signal, now);
}
