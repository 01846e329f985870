/** Values of the options of `forget` and `prune`, checked. */

import { parseSize } from '../../home/sizes.ts';
import { type Policy, parseDuration } from '../../maintain/forget.ts';
import { DEFAULT_MAX_UNUSED, type MaxUnused } from '../../maintain/prune/plan.ts';
import { checkTag } from '../../snapshot/tag.ts';
import { type Args, usage } from './args.ts';
import type { CommandSpec } from './command-spec.ts';
import type { OptionName } from './options.ts';

/** The policy of the `--keep-*` options; undefined when none is given. */
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
  return Object.values(policy).some((rule) => rule !== undefined) ? policy : undefined;
}

function countOf(args: Args, name: OptionName): number | undefined {
  const text = args.text(name);
  if (text === undefined) return undefined;
  const count = parseCount(text);
  if (count !== undefined) return count;
  throw usage(`--${name} "${text}" is neither a number nor unlimited`, args.command);
}

function parseCount(text: string): number | undefined {
  if (text === 'unlimited') return Number.POSITIVE_INFINITY;
  return /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}

const COUNTED = ['last', 'hourly', 'daily', 'weekly', 'monthly', 'yearly'] as const;

/**
 * The setting `keep`: `all`, or the `--keep` rules of `forget` in one text, such as `daily=7,weekly=4,within=30d,tag=stable`.
 * @returns undefined for `all` @throws ShardctlError `USAGE`
 */
export function parseKeep(text: string, command?: CommandSpec): Policy | undefined {
  if (text === 'all') return undefined;
  const policy: { -readonly [Rule in keyof Policy]: Policy[Rule] } = {};
  for (const rule of text.split(',')) {
    const [name = '', value = ''] = rule.split('=', 2);
    const counted = COUNTED.find((it) => it === name);
    const count = parseCount(value);
    if (counted !== undefined && count !== undefined) policy[counted] = count;
    else if (name === 'within') policy.within = parseDuration(value);
    else if (name === 'tag') policy.tags = [...(policy.tags ?? []), checkTag(value)];
    else
      throw usage(
        `keep "${text}": "${rule}" is no rule; write for example daily=7,weekly=4,within=30d with ${COUNTED.join(', ')}, within or tag; or all`,
        command,
      );
  }
  return policy;
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
