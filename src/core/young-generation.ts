/** The young generations of this process: where V8 puts new objects, one for each thread. */
import { setFlagsFromString } from 'node:v8';

/**
 * Keeps the young generation of every thread from growing further. For runs through which much passes that is garbage at once: V8 lets that
 * of the main thread grow to 48 MB (Node 20) or 134 MB (Node 24), and with it grows the memory of buffers that nobody needs any more.
 * A thread that starts lets all grow again, so this is to be called when each has started.
 */
export function keepYoungGenerationsSmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
}
