/** Values of the options that say where shards go and how fast, checked. */

import { ShardctlError } from '../../core/errors.ts';
import { parseSize } from '../../home/sizes.ts';
import type { Throttle } from '../../peer/peer.ts';
import { allocatorsOf } from '../../storing/allocate/allocators.ts';
import { type Args, usage } from './args.ts';
import type { Context } from './context.ts';
import type { CommandSpec } from './spec.ts';

/** More would only fill the spool. */
const MOST_TRANSFERS = 64;

/** `--allocate-by`: names of allocators, separated by commas; undefined when it is not given. */
export function allocateByOf(args: Args): string[] | undefined {
  const text = args.text('allocate-by');
  return text === undefined ? undefined : parseAllocateBy(text, '--allocate-by', args.command);
}

/** @param what the option or the setting, for the message @throws ShardctlError `USAGE` */
export function parseAllocateBy(text: string, what: string, command: CommandSpec): string[] {
  const names = text.split(',').map((name) => name.trim());
  try {
    allocatorsOf(names);
  } catch (error) {
    if (!(error instanceof ShardctlError)) throw error;
    throw usage(`${what} "${text}": ${error.message}; ${error.hint}`, command);
  }
  return names;
}

/** `--transfers`; undefined when it is not given. */
export function transfersOf(args: Args): number | undefined {
  const text = args.text('transfers');
  if (text === undefined) return undefined;
  const transfers = /^\d{1,3}$/.test(text) ? Number(text) : 0;
  if (transfers >= 1 && transfers <= MOST_TRANSFERS) return transfers;
  throw usage(`--transfers "${text}" is not a number from 1 to ${MOST_TRANSFERS}`, args.command);
}

/** `--bwlimit`, as in rclone: bytes a second of all uploads together; undefined when there is no limit. */
export function bwlimitOf(args: Args): number | undefined {
  const text = args.text('bwlimit');
  if (text === undefined || text === 'off') return undefined;
  const bytes = parseSize(text.replace(/\/s$/, ''));
  if (bytes !== undefined && bytes > 0) return bytes;
  throw usage(`--bwlimit "${text}" is not a size a second, such as 10M or 500KB/s, or off`, args.command);
}

/** Loaded only where it is asked for: an update that finds nothing to do waits for nothing. */
export async function throttleAt(bytesPerSecond: number | undefined, { now, signal }: Context): Promise<Throttle | undefined> {
  return bytesPerSecond === undefined ? undefined : (await import('../../core/waiting.ts')).limitedTo(bytesPerSecond, signal, now);
}
