/** Looks whether the directories of one block of the parent's entries are in the source as they were. Runs on any thread. */
import { type BigIntStats, lstatSync, readdirSync } from 'node:fs';
import { NO_CTIME } from '../directory.ts';
import { fsPath, joinBytes } from '../fs-path.ts';
import { type EntriesRecord, type HotFile, recordAt } from '../index-store/hot-file.ts';
import { type ByteString, DIRECTORY, type Trust } from '../model.ts';
import type { Filter } from './filter.ts';
import { kindOf } from './kinds.ts';

/** Nothing in the directory differs, as far as `compare` would look. */
export const AS_IT_WAS = 0;
/** The same names, and some of them have other stat data, which are here. */
export const TOUCHED = 1;
/** Other names, other kinds, or something that cannot be looked at: the walk must list it. */
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
  readonly source: ByteString;
  readonly filter: Filter;
  /** Mode and mtime are in the tree: without them, those of a directory make no difference. */
  readonly metadata: boolean;
}

export function sweepBlock(hot: HotFile, payload: Buffer, rules: SweepRules): SweptBlock {
  const depths: number[] = [];
  const verdicts: number[] = [];
  const touched: Touched[] = [];
  for (let at = 0; at < payload.length; at = hot.endOf(payload, at)) {
    const record = recordAt(payload, at, verdicts.length);
    const stats = sweepDirectory(record, rules);
    if (stats !== undefined && stats.length > 0) touched.push(touchedOf(verdicts.length, stats));
    verdicts.push(stats === undefined ? TO_LIST : stats.length > 0 ? TOUCHED : AS_IT_WAS);
    depths.push(depthOf(record.path));
  }
  return {
    depths: Uint16Array.from(depths),
    verdicts: verdicts.every((verdict) => verdict === AS_IT_WAS) ? undefined : Uint8Array.from(verdicts),
    touched,
  };
}

type NewStat = readonly [index: number, stat: BigIntStats];

/** @returns what is new in the directory, or undefined when that cannot be said in stat data */
function sweepDirectory(record: EntriesRecord, rules: SweepRules): NewStat[] | undefined {
  const { source, metadata, ignoreCtime, ignoreInode } = rules;
  const { path, names, kinds, modes, sizes, mtimes, ctimes, inodes } = record;
  const prefix = path === '' ? `${source}/` : `${source}/${path}/`;
  const news: NewStat[] = [];
  try {
    const listed = readdirSync(fsPath(prefix), 'latin1');
    for (let i = 0; i < names.length; i++) {
      const stat = lstatSync(fsPath(prefix + (names[i] as ByteString)), { bigint: true });
      const mode = Number(stat.mode);
      const kind = kindOf(mode);
      if (kind !== kinds[i]) return undefined;
      if (kind === DIRECTORY) {
        // Its size, ctime and inode say nothing that its listing does not.
        if (!metadata || ((mode & 0o7777) === modes[i] && stat.mtimeNs === mtimes[i])) continue;
      } else if (
        // Compared in place: a bigint in a variable is an object, and there are a million of them.
        Number(stat.size) === sizes[i] &&
        stat.mtimeNs === mtimes[i] &&
        (stat.ctimeNs === ctimes[i] || (ignoreCtime && ctimes[i] !== NO_CTIME)) &&
        (ignoreInode || stat.ino === inodes[i]) &&
        (mode & 0o7777) === modes[i]
      ) {
        continue;
      }
      // Only what a column holds exactly can be handed on.
      if (BigInt.asIntN(64, stat.mtimeNs) !== stat.mtimeNs) return undefined;
      news.push([i, stat]);
    }
    // Every name of the parent is there: as many as are listed, and there is no other.
    if (listed.length !== names.length && !onlyExcluded(listed, record, prefix, rules)) return undefined;
  } catch {
    // Gone, or not to be looked at: the walk meets the same, and says what.
    return undefined;
  }
  return news;
}

/** Whether all that is listed and was not in the parent is left out by the rules, as it was then. */
function onlyExcluded(listed: readonly ByteString[], { path, names }: EntriesRecord, prefix: string, { filter }: SweepRules): boolean {
  if (filter.isEmpty) return false;
  const known = new Set(names);
  return listed.every(
    (name) =>
      known.has(name) || filter.excludes(joinBytes(path, name), kindOf(Number(lstatSync(fsPath(prefix + name)).mode)) === DIRECTORY),
  );
}

function touchedOf(record: number, news: readonly NewStat[]): Touched {
  const stats = news.map(([, stat]) => stat);
  return {
    record,
    indexes: Uint32Array.from(news, ([index]) => index),
    modes: Uint16Array.from(stats, ({ mode }) => Number(mode) & 0o7777),
    sizes: Float64Array.from(stats, ({ size }) => Number(size)),
    mtimes: BigInt64Array.from(stats, ({ mtimeNs }) => mtimeNs),
    ctimes: BigInt64Array.from(stats, ({ ctimeNs }) => ctimeNs),
    inodes: BigUint64Array.from(stats, ({ ino }) => ino),
  };
}

function depthOf(path: ByteString): number {
  if (path === '') return 0;
  let depth = 1;
  for (let at = path.indexOf('/'); at >= 0; at = path.indexOf('/', at + 1)) depth++;
  return depth;
}
