/** Values of the options that `add` and `update` have in common, checked. */

import type { Trust } from '../../core/model.ts';
import type { OwnGate } from '../../core/verdict.ts';
import type { MaxDelete } from '../../update/deletion-guard.ts';
import { type Args, usage } from './args.ts';
import { gateOptions } from './gate-options.ts';
import { type StorageOptions, storageOptions } from './storage-options.ts';
import type { Absolute } from './surroundings.ts';

export interface RunOptions extends StorageOptions {
  readonly trust: Trust;
  readonly maxDelete: MaxDelete | undefined;
  readonly itemize: boolean;
  readonly dryRun: boolean;
  /** What is asked of the gate; nothing that is not said. */
  readonly gate: OwnGate;
}

const DEFAULT_MAX_DELETE: MaxDelete = { percent: 50 };

/** @throws ShardctlError `USAGE` */
export function runOptions(args: Args, absolute: Absolute): RunOptions {
  return {
    ...storageOptions(args),
    trust: { ignoreCtime: args.flag('ignore-ctime'), ignoreInode: args.flag('ignore-inode'), checksum: args.flag('checksum') },
    maxDelete: maxDeleteOf(args),
    itemize: args.flag('itemize'),
    dryRun: args.flag('dry-run'),
    gate: gateOptions(args, absolute),
  };
}

export function maxDeleteOf(args: Args): MaxDelete | undefined {
  const text = args.text('max-delete');
  if (text === undefined) return DEFAULT_MAX_DELETE;
  if (text === 'none') return undefined;
  const [, number, percent] = /^(\d{1,15}(?:\.\d+)?)(%?)$/.exec(text) ?? [];
  const value = Number(number);
  if (percent === '%' && value <= 100) return { percent: value };
  if (percent === '' && Number.isInteger(value)) return { entries: value };
  throw usage(`--max-delete "${text}" is not a number of entries, a percentage such as 10%, or none`, args.command);
}
