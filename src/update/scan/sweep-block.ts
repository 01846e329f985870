/** Compares the directories of one block of the parent's entries with the source. Both threads run this. */
import { lstatSync, readdirSync } from 'node:fs';
import { type ByteString, DIRECTORY, SYMLINK, type Trust } from '../../core/model.ts';
import { fsPath, joinBytes } from '../../core/path-bytes.ts';
import { type HotFile, pathAt, type RawRecord, rawAt } from '../../index/entries/hot-file.ts';
import { entryStatOf, type Look, type Looker, setSeen } from '../../source/look.ts';
import type { OpenDirectory, Reach } from '../../source/reach.ts';
import { NO_CTIME } from '../../walk/directory.ts';
import type { Filter } from './filter.ts';
import { kindOf } from './kinds.ts';
import type { Links } from './links.ts';

/** Nothing differs that `compare` would look at. */
export const AS_IT_WAS = 0;
/** The names are the same, and some entries have other stat data, which `Touched` has. */
export const TOUCHED = 1;
/** Names or kinds differ, or something cannot be looked at: the walk must list the directory. */
export const TO_LIST = 2;

/** New stat data of some entries of a directory. */
export interface Touched {
  /** Which directory of its block. */
  readonly record: number;
  /** Positions of the entries, ascending. */
  readonly indexes: Uint32Array;
  readonly modes: Uint16Array;
  readonly sizes: Float64Array;
  readonly mtimes: BigInt64Array;
  readonly ctimes: BigInt64Array;
  readonly inodes: BigUint64Array;
}

export interface SweptBlock {
  /** How deep each of its directories is: the subtree of one ends before the next that is not deeper. */
  readonly depths: Uint16Array;
  /** A byte a directory; undefined when all are as they were. */
  readonly verdicts: Uint8Array | undefined;
  readonly touched: readonly Touched[];
}

export interface SweepRules extends Trust {
  readonly reach: Reach;
  /** Undefined where nothing is left out. */
  readonly filter: Filter | undefined;
  /** Given where symlinks are stored as what they lead to. */
  readonly links: Links | undefined;
  /** Whether mode and mtime are stored in the tree. If not, a directory that differs in nothing else is the same. */
  readonly metadata: boolean;
}

export function sweepBlock(hot: HotFile, payload: Buffer, rules: SweepRules, looker: Looker): SweptBlock {
  const depths: number[] = [];
  const verdicts: number[] = [];
  const touched: Touched[] = [];
  for (let at = 0; at < payload.length; at = hot.endOf(payload, at)) {
    const path = pathAt(payload, at);
    const news = sweepDirectory(path, rawAt(payload, at), rules, looker);
    if (news !== undefined && news.length > 0) touched.push(touchedOf(verdicts.length, news));
    verdicts.push(news === undefined ? TO_LIST : news.length > 0 ? TOUCHED : AS_IT_WAS);
    depths.push(depthOf(path));
  }
  return {
    depths: Uint16Array.from(depths),
    verdicts: verdicts.every((verdict) => verdict === AS_IT_WAS) ? undefined : Uint8Array.from(verdicts),
    touched,
  };
}

interface NewStat extends Look {
  readonly index: number;
}

/** @returns the new stat data of the directory's entries; undefined when the walk must list it */
function sweepDirectory(path: ByteString, record: RawRecord, rules: SweepRules, looker: Looker): NewStat[] | undefined {
  try {
    const way = rules.links === undefined ? [path] : rules.links.wayTo(path);
    if (way === undefined) return undefined;
    const origin = way.at(-1) as ByteString;
    const look = (open: OpenDirectory) => {
      looker.turnTo(open);
      const listed = looker.count();
      const news = sweepEntries(way, record, rules, looker);
      // Every name of the parent is there: as many as are listed, and there is no other.
      if (news !== undefined && listed !== record.count && !hasNoOthers(path, way, open.prefix, record, rules)) return undefined;
      return news;
    };
    const news = rules.reach.inDirectory(origin, look, 'quickly');
    // A directory with news is opened once more in the way of the walk, which must be able to open it. Done for every directory, that took 4 % of a sweep.
    if (news !== undefined && news.length > 0) rules.reach.inDirectory(origin, () => undefined);
    return news;
  } catch {
    // The directory is gone or cannot be looked at: the walk meets the same error and reports it.
    return undefined;
  }
}

/** @param way origins through which the directory is reached, its own last */
function sweepEntries(way: readonly ByteString[], record: RawRecord, rules: SweepRules, looker: Looker): NewStat[] | undefined {
  const { metadata, ignoreCtime, ignoreInode, links } = rules;
  const { count, text, namesAt, lengths, kinds, modes, sizes, mtimes, ctimes, inodes } = record;
  const { seen } = looker;
  const news: NewStat[] = [];
  for (let i = 0, from = namesAt; i < count; i++) {
    const to = from + (lengths[i] as number);
    if (!looker.look(text, from, to)) return undefined;
    let kind = kindOf(seen.mode);
    const led = kind === SYMLINK ? links?.follow(way, text.toString('latin1', from, to)) : undefined;
    if (typeof led === 'object') {
      kind = led.kind;
      setSeen(seen, led.stat);
    }
    from = to;
    if (kind !== kinds[i]) return undefined;
    const mtimeIsSame = isTime(mtimes, i, seen.mtimeSeconds, seen.mtimeNanoseconds);
    const modeIsSame = (seen.mode & 0o7777) === modes[i];
    if (kind === DIRECTORY) {
      // Its size, ctime and inode say nothing that its listing does not.
      if (!metadata || (modeIsSame && mtimeIsSame)) continue;
    } else if (
      seen.size === sizes[i] &&
      mtimeIsSame &&
      (ignoreCtime ? !isNoTime(ctimes, i) : isTime(ctimes, i, seen.ctimeSeconds, seen.ctimeNanoseconds)) &&
      (ignoreInode || (inodes[2 * i] === seen.inodeLow && inodes[2 * i + 1] === seen.inodeHigh)) &&
      modeIsSame
    ) {
      continue;
    }
    // Only what a column holds exactly can be handed on.
    if (Math.abs(seen.mtimeSeconds) > MOST_SECONDS) return undefined;
    news.push({ index: i, ...seen });
  }
  return news;
}

/** Seconds that fit into 64 bits of nanoseconds. */
const MOST_SECONDS = 9_200_000_000;

/**
 * Whether a time of a column is this one, without a bigint: the low 32 bits are exact, and what a double says of the whole is
 * off by less than 2^10 where another time with the same low bits would be off by 2^32.
 */
function isTime(column: Uint32Array, i: number, seconds: number, nanoseconds: number): boolean {
  const low = column[2 * i] as number;
  if (low !== (Math.imul(seconds, 1_000_000_000) + nanoseconds) >>> 0) return false;
  const whole = ((column[2 * i + 1] as number) | 0) * 2 ** 32 + low;
  return Math.abs(whole - (seconds * 1e9 + nanoseconds)) < 4096;
}

const [NO_CTIME_LOW, NO_CTIME_HIGH] = new Uint32Array(new BigInt64Array([NO_CTIME]).buffer) as unknown as [number, number];

function isNoTime(column: Uint32Array, i: number): boolean {
  return column[2 * i] === NO_CTIME_LOW && column[2 * i + 1] === NO_CTIME_HIGH;
}

/** Whether what is listed beyond the parent's names is listed twice (by NFS and FUSE, at times), or left out by the rules, as it was then. */
function hasNoOthers(
  path: ByteString,
  way: readonly ByteString[],
  prefix: ByteString,
  record: RawRecord,
  { filter, links }: SweepRules,
): boolean {
  const isDirectory = (name: ByteString) => {
    const kind = kindOf(lstatSync(fsPath(prefix + name)).mode);
    const led = kind === SYMLINK ? links?.follow(way, name) : undefined;
    return (typeof led === 'object' ? led.kind : kind) === DIRECTORY;
  };
  const known = new Set(record.names());
  return readdirSync(fsPath(prefix), 'latin1').every(
    (name) => known.has(name) || filter?.excludes(joinBytes(path, name), isDirectory(name)) === true,
  );
}

function touchedOf(record: number, news: readonly NewStat[]): Touched {
  const stats = news.map(entryStatOf);
  return {
    record,
    indexes: Uint32Array.from(news, ({ index }) => index),
    modes: Uint16Array.from(stats, ({ mode }) => mode & 0o7777),
    sizes: Float64Array.from(stats, ({ size }) => size),
    mtimes: BigInt64Array.from(stats, ({ mtimeNs }) => mtimeNs),
    ctimes: BigInt64Array.from(stats, ({ ctimeNs }) => ctimeNs),
    inodes: BigUint64Array.from(stats, ({ inode }) => inode),
  };
}

function depthOf(path: ByteString): number {
  if (path === '') return 0;
  let depth = 1;
  for (let at = path.indexOf('/'); at >= 0; at = path.indexOf('/', at + 1)) depth++;
  return depth;
}
