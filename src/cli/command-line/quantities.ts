/** Values of the options of `add`, checked. */

import type { Replication } from '../../core/model.ts';
import { parseSize } from '../../home/sizes.ts';
import { type Args, usage } from './args.ts';
import type { CommandSpec } from './command-spec.ts';

/** The bytes that a size option asks for; undefined when it is not given. */
export function sizeOf(args: Args, name: 'shard-size' | 'capacity' | 'max-repack' | 'reserve' | 'max-bytes'): number | undefined {
  const text = args.text(name);
  if (text === undefined) return undefined;
  return parseSizeOf(text, `--${name}`, args.command);
}

/** @param what the option or the setting, for the message @throws ShardctlError `USAGE` */
export function parseSizeOf(text: string, what: string, command: CommandSpec): number {
  const bytes = parseSize(text);
  if (bytes !== undefined && bytes > 0) return bytes;
  throw usage(`${what} "${text}" is not a size; write for example 500GB or 128MiB`, command);
}

/** `--weight`; undefined when it is not given. */
export function weightOf(args: Args): number | undefined {
  const text = args.text('weight');
  if (text === undefined) return undefined;
  if (/^\d{1,9}(?:\.\d{1,6})?$/.test(text)) return Number(text);
  throw usage(`--weight "${text}" is not a number from 0`, args.command);
}

/** `MIN[:MAX]`; undefined when it is not given. */
export function replicationOf(args: Args): Replication | undefined {
  const text = args.text('replication');
  return text === undefined ? undefined : parseReplication(text, '--replication', args.command);
}

/** @param what the option or the setting, for the message @throws ShardctlError `USAGE` */
export function parseReplication(text: string, what: string, command: CommandSpec): Replication {
  const [low, high = low, ...rest] = text.split(':');
  const [min, max] = [factor(low), factor(high)];
  const ordered = min !== undefined && max !== undefined && (max === -1 || (min !== -1 && min <= max));
  if (ordered && rest.length === 0) return { min, max };
  throw usage(`${what} "${text}" is not MIN or MIN:MAX, numbers from 1 with MIN up to MAX, or -1 for every peer`, command);
}

function factor(text: string | undefined): number | undefined {
  return text !== undefined && /^(?:-1|[1-9]\d{0,4})$/.test(text) ? Number(text) : undefined;
}
