/** Values of the options of `forget` and `prune`, checked. */

import { parseSize } from '../../home/sizes.ts';
import { type Policy, parseDuration } from '../../maintain/forget.ts';
import { DEFAULT_MAX_UNUSED, type MaxUnused } from '../../maintain/prune/plan.ts';
import { type Args, usage } from './args.ts';
import type { OptionName } from './options.ts';

/** The policy of the `--keep-*` options; undefined when none is given. */
export function policyOf(args: Args): Policy | undefined {
  const within = args.text('keep-within');
  const policy: Policy = {
    last: countOf(args, 'keep-last'),
    hourly: countOf(args, 'keep-hourly'),
    daily: countOf(args, 'keep-daily'),
    weekly: countOf(args, 'keep-weekly'),
    monthly: countOf(args, 'keep-monthly'),
    yearly: countOf(args, 'keep-yearly'),
    within: within === undefined ? undefined : parseDuration(within),
  };
  return Object.values(policy).some((rule) => rule !== undefined) ? policy : undefined;
}

function countOf(args: Args, name: OptionName): number | undefined {
  const text = args.text(name);
  if (text === undefined) return undefined;
  if (text === 'unlimited') return Number.POSITIVE_INFINITY;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw usage(`--${name} "${text}" is neither a number nor unlimited`, args.command);
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
