/** The options that say how shards are stored: their size, on how many peers and on which, and how fast. */

import { ShardctlError } from '../../core/errors.ts';
import type { Replication } from '../../core/model.ts';
import { parseSize } from '../../home/sizes.ts';
import { allocatorsOf } from '../../storing/allocate/allocators.ts';
import { type Args, usage } from './args.ts';
import type { CommandSpec } from './command-spec.ts';
import { replicationOf, sizeOf } from './quantities.ts';

/** More would only fill the spool. */
const MOST_TRANSFERS = 64;

/** How shards are stored, as the command line says it: checked before a lock is taken. */
export interface StorageOptions {
  /** Undefined for the size that the settings say. */
  readonly shardBytes: number | undefined;
  /** Undefined for what was asked for before: of the repository, else of the home. The same holds for `allocateBy`. */
  readonly replication: Replication | undefined;
  readonly allocateBy: readonly string[] | undefined;
  readonly transfers: number | undefined;
  /** Bytes a second, of all uploads together. */
  readonly bwlimit: number | undefined;
}

/** @throws ShardctlError `USAGE` */
export function storageOptions(args: Args): StorageOptions {
  return {
    shardBytes: sizeOf(args, 'shard-size'),
    replication: replicationOf(args),
    allocateBy: allocateByOf(args),
    transfers: transfersOf(args),
    bwlimit: bwlimitOf(args),
  };
}

/** `--allocate-by`: names of allocators, separated by commas; undefined when it is not given. */
function allocateByOf(args: Args): string[] | undefined {
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
function bwlimitOf(args: Args): number | undefined {
  const text = args.text('bwlimit');
  if (text === undefined || text === 'off') return undefined;
  const bytes = parseSize(text.replace(/\/s$/, ''));
  if (bytes !== undefined && bytes > 0) return bytes;
  throw usage(`--bwlimit "${text}" is not a size a second, such as 10M or 500KB/s, or off`, args.command);
}
