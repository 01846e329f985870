/** The garbage collector of this process. */
import { setFlagsFromString } from 'node:v8';

/**
 * Lets garbage grow to several times what is in use before it is collected. For commands that hold little and through which much
 * passes: V8 goes by the small heap, and looks for garbage every eight megabytes that come over a connection. Measured for `get` of
 * 280 MB in 10,000 files from a Kubo: 37 collections and 2.8 s of processor time without, 7 and 2.2 s with it, for 30 MB more.
 */
export function collectLess(): void {
  setFlagsFromString('--heap-growing-percent=400');
}
