/** Values of the options that `add` and `update` have in common, checked. */

import type { Replication, Trust } from '../../core/model.ts';
import type { MaxDelete } from '../../update/deletion-guard.ts';
import { replicationOf, sizeOf } from './add-options.ts';
import { type Args, usage } from './args.ts';
import { allocateByOf, bwlimitOf, transfersOf } from './transfer-options.ts';

export interface RunOptions {
  /** As the settings say, if undefined. */
  readonly shardBytes: number | undefined;
  /** As the repository was told before, if undefined, or else as the settings say. */
  readonly replication: Replication | undefined;
  readonly allocateBy: readonly string[] | undefined;
  readonly transfers: number | undefined;
  /** Bytes a second. */
  readonly bwlimit: number | undefined;
  readonly trust: Trust;
  readonly maxDelete: MaxDelete | undefined;
  readonly itemize: boolean;
  readonly dryRun: boolean;
}

const DEFAULT_MAX_DELETE: MaxDelete = { percent: 50 };

/** @throws ShardctlError `USAGE` */
export function runOptions(args: Args): RunOptions {
  return {
    shardBytes: sizeOf(args, 'shard-size'),
    replication: replicationOf(args),
    allocateBy: allocateByOf(args),
    transfers: transfersOf(args),
    bwlimit: bwlimitOf(args),
    trust: { ignoreCtime: args.flag('ignore-ctime'), ignoreInode: args.flag('ignore-inode'), checksum: args.flag('checksum') },
    maxDelete: maxDeleteOf(args),
    itemize: args.flag('itemize'),
    dryRun: args.flag('dry-run'),
  };
}

function maxDeleteOf(args: Args): MaxDelete | undefined {
  const text = args.text('max-delete');
  if (text === undefined) return DEFAULT_MAX_DELETE;
  if (text === 'none') return undefined;
  const [, number, percent] = /^(\d{1,15}(?:\.\d+)?)(%?)$/.exec(text) ?? [];
  const value = Number(number);
  if (percent === '%' && value <= 100) return { percent: value };
  if (percent === '' && Number.isInteger(value)) return { entries: value };
  throw usage(`--max-delete "${text}" is not a number of entries, a percentage such as 10%, or none`, args.command);
}
