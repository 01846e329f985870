/** What `find` is asked for: its options read as those of find, with sizes and times written as everywhere here. */
import { DIRECTORY, type EntryKind, FILE, SYMLINK } from '../../core/model.ts';
import { toBytes } from '../../core/path-bytes.ts';
import { parseSize } from '../../home/sizes.ts';
import { parseTime } from '../../home/times.ts';
import type { Wanted } from '../../read/find.ts';
import { spanOf } from '../../snapshot/snapshot-date.ts';
import { Matcher, parsePattern } from '../../update/scan/pattern.ts';
import { type Args, usage } from './args.ts';

const KINDS: Readonly<Record<string, EntryKind>> = { f: FILE, d: DIRECTORY, l: SYMLINK };
const NS_PER_MS = 1_000_000n;

/** @param now milliseconds since 1970 @throws ShardctlError `USAGE` */
export function wantedOf(args: Args, now: number): Wanted {
  return { name: nameOf(args), kinds: kindsOf(args), size: sizesOf(args), newerThanNs: newerThan(args, now) };
}

function nameOf(args: Args): Wanted['name'] {
  const patterns = args.all('name').map(({ value }) => value);
  if (patterns.length === 0) return undefined;
  const withSlash = patterns.find((pattern) => pattern.includes('/'));
  if (withSlash !== undefined) throw usage(`--name "${withSlash}" has a slash, and no name has one: begin at REF/PATH`, args.command);
  const matchers = patterns.map((pattern) => new Matcher(parsePattern(toBytes(pattern))));
  return (name) => matchers.some((matcher) => matcher.matches(name, 0, false));
}

function kindsOf(args: Args): ReadonlySet<EntryKind> | undefined {
  const text = args.text('type');
  if (text === undefined) return undefined;
  return new Set(
    text.split(',').map((letter) => {
      const kind = Object.hasOwn(KINDS, letter) ? KINDS[letter] : undefined;
      if (kind === undefined) throw usage(`--type "${text}" is not f, d, l, or several of them with commas`, args.command);
      return kind;
    }),
  );
}

/** All of them must hold, so that `--size +1M --size -2M` is what is between. */
function sizesOf(args: Args): Wanted['size'] {
  const texts = args.all('size').map(({ value }) => value);
  if (texts.length === 0) return undefined;
  let [from, to] = [0, Number.POSITIVE_INFINITY];
  for (const text of texts) {
    const bytes = parseSize(text.replace(/^[-+]/, ''));
    if (bytes === undefined) throw usage(`--size "${text}" is not a size such as 4096, +1M (more) or -500KB (less)`, args.command);
    if (!text.startsWith('-')) from = Math.max(from, text.startsWith('+') ? bytes + 1 : bytes);
    if (!text.startsWith('+')) to = Math.min(to, text.startsWith('-') ? bytes - 1 : bytes);
  }
  return { from, to };
}

/** A date means its beginning, as to `find -newermt`, but in UTC. */
function newerThan(args: Args, now: number): bigint | undefined {
  const text = args.text('newer');
  if (text === undefined) return undefined;
  const age = parseTime(text);
  if (age !== undefined) return BigInt(Math.trunc(now - age)) * NS_PER_MS;
  const date = spanOf(text);
  if (date !== undefined) return BigInt(date.start) * NS_PER_MS;
  throw usage(`--newer "${text}" is neither an age such as 7d nor a date such as 2026-11-25 or 20261125T120000Z`, args.command);
}
