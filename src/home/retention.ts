/** The rules of `forget` and of the setting `keep`, as people write them. */
import { ShardctlError } from '../core/errors.ts';

/** Calendar time, as `--keep-within 2y5m7d3h` says it. */
export interface Duration {
  readonly years: number;
  readonly months: number;
  readonly days: number;
  readonly hours: number;
}

/** How many to keep of each kind; `Infinity` keeps one of each hour, day, … there is. Absent: the rule is not used. */
export interface Policy {
  readonly last?: number | undefined;
  readonly hourly?: number | undefined;
  readonly daily?: number | undefined;
  readonly weekly?: number | undefined;
  readonly monthly?: number | undefined;
  readonly yearly?: number | undefined;
  /** All that are not older than this, counted from the newest snapshot. */
  readonly within?: Duration | undefined;
  /** Each snapshot that has one of these tags. */
  readonly tags?: readonly string[] | undefined;
}

/** `2y5m7d3h`, each part at most once and in this order. @throws ShardctlError `USAGE` */
export function parseDuration(text: string): Duration {
  const parts = /^(?:(\d+)y)?(?:(\d+)m)?(?:(\d+)d)?(?:(\d+)h)?$/.exec(text);
  if (parts === null || text === '')
    throw new ShardctlError('USAGE', `"${text}" is not a duration`, {
      hint: 'write for example 2y5m7d3h: years, months, days and hours',
    });
  const [years = 0, months = 0, days = 0, hours = 0] = parts.slice(1).map((part) => Number(part ?? 0));
  return { years, months, days, hours };
}

const COUNTED = ['last', 'hourly', 'daily', 'weekly', 'monthly', 'yearly'] as const;

/**
 * The setting `keep`: `all`, or the `--keep` rules of `forget` in one text, such as `daily=7,weekly=4,within=30d,tag=stable`.
 * @returns undefined for `all` @throws ShardctlError `USAGE`
 */
export function parseKeep(text: string): Policy | undefined {
  if (text === 'all') return undefined;
  const wrong = (why: string) =>
    new ShardctlError('USAGE', `keep "${text}": ${why}`, {
      hint: `write for example daily=7,weekly=4,within=30d with ${COUNTED.join(', ')}, within or tag; or all`,
    });
  const policy: { -readonly [Rule in keyof Policy]: Policy[Rule] } = {};
  for (const rule of text.split(',')) {
    const [name = '', value = ''] = rule.split('=', 2);
    const counted = COUNTED.find((it) => it === name);
    const count = parseCount(value);
    if (counted !== undefined && count !== undefined) policy[counted] = count;
    else if (name === 'within') policy.within = parseDuration(value);
    else if (name === 'tag' && value !== '') policy.tags = [...(policy.tags ?? []), value];
    else throw wrong(`"${rule}" is no rule`);
  }
  if (keepsNothing(policy)) throw wrong('that keeps nothing');
  return policy;
}

/** How many a rule keeps. */
export function parseCount(text: string): number | undefined {
  if (text === 'unlimited') return Number.POSITIVE_INFINITY;
  return /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}

/** Nobody means to forget all that may be forgotten by rules of what to keep. */
export function keepsNothing({ within, tags, ...counts }: Policy): boolean {
  const numbers = [...Object.values(counts), ...Object.values(within ?? {})];
  return tags === undefined && numbers.every((number) => number === undefined || number === 0);
}
