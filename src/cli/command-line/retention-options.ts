/** Values of the options of `forget` and `prune`, checked. */

import { keepsNothing, type Policy, parseCount, parseDuration, parseKeep } from '../../home/retention.ts';
import { parseSize } from '../../home/sizes.ts';
import { DEFAULT_MAX_UNUSED, type MaxUnused } from '../../maintain/prune/plan.ts';
import { checkTag } from '../../snapshot/tag.ts';
import { type Args, usage } from './args.ts';
import type { OptionName } from './options.ts';

/** The policy of the `--keep-*` options; undefined when none is given. @throws ShardctlError `USAGE` */
export function policyOf(args: Args): Policy | undefined {
  const within = args.text('keep-within');
  const tags = args.all('keep-tag').map(({ value }) => checkTag(value));
  const policy: Policy = {
    last: countOf(args, 'keep-last'),
    hourly: countOf(args, 'keep-hourly'),
    daily: countOf(args, 'keep-daily'),
    weekly: countOf(args, 'keep-weekly'),
    monthly: countOf(args, 'keep-monthly'),
    yearly: countOf(args, 'keep-yearly'),
    within: within === undefined ? undefined : parseDuration(within),
    tags: tags.length === 0 ? undefined : tags,
  };
  if (Object.values(policy).every((rule) => rule === undefined)) return undefined;
  if (keepsNothing(policy)) throw usage('these rules keep nothing; --keep-last 1 keeps the newest snapshot alone', args.command);
  return policy;
}

function countOf(args: Args, name: OptionName): number | undefined {
  const text = args.text(name);
  if (text === undefined) return undefined;
  const count = parseCount(text);
  if (count !== undefined) return count;
  throw usage(`--${name} "${text}" is neither a number nor unlimited`, args.command);
}

/** As `parseKeep`, for a setting that is about to be written. @throws ShardctlError `USAGE` also for a tag that no snapshot can have */
export function checkKeep(text: string): void {
  for (const tag of parseKeep(text)?.tags ?? []) checkTag(tag);
}

/** `--max-unused`: `P%`, a size, or `unlimited`. */
export function maxUnusedOf(args: Args): MaxUnused {
  const text = args.text('max-unused');
  if (text === undefined) return DEFAULT_MAX_UNUSED;
  if (text === 'unlimited') return { percent: 100 };
  const percent = /^(\d+(?:\.\d+)?)%$/.exec(text)?.[1];
  if (percent !== undefined && Number(percent) <= 100) return { percent: Number(percent) };
  const bytes = percent === undefined ? parseSize(text) : undefined;
  if (bytes !== undefined) return { bytes };
  throw usage(`--max-unused "${text}" is neither a size nor P% nor unlimited; write for example 5% or 10GB`, args.command);
}
