/**
 * An index that has lost its tables is not a new one: what its home has on peers would be no repository's any more, and the next run that
 * writes would note that down on the peers. So nothing makes an index where there was one, but what is asked to (`add`, `recover`).
 */
import { randomInt } from 'node:crypto';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ShardctlError } from '../core/errors.ts';
import { removeTreeSync } from '../core/remove-file.ts';
import { isForeign } from '../home/foreign.ts';
import { hasHeads } from '../home/heads.ts';
import type { IndexOptions } from './options.ts';
import { howToMake } from './tables/how-to-make.ts';

/** Made by every run that opens an index to write, before it makes the tables. */
const MADE_FIRST: ReadonlySet<string> = new Set(['entries', 'tables']);

/** Whether there are tables to be opened. The file is empty where the first run has died before it wrote to it. */
export function hasTables(dir: string): boolean {
  return (statSync(join(dir, 'tables', 'data.mdb'), { throwIfNoEntry: false })?.size ?? 0) > 0;
}

/** Whether an earlier run has come further than making the tables: it has left a head, or something else in the index. */
export function wasUsed(dir: string): boolean {
  return hasHeadsBeside(dir) || namesIn(dir).some((name) => !MADE_FIRST.has(name)) || namesIn(join(dir, 'entries')).length > 0;
}

/**
 * Where an index was used and has no tables: removes what is left of it if it is to be made anew, because what that says of shards is said
 * of numbers that may be others' now. An empty file is left to whoever checks the tables.
 * @returns whether an index is made in the place of a lost one
 * @throws ShardctlError `NOT_FOUND` where it is not, or where other runs write, which may be making it
 */
export function remakeLost(dir: string, { readOnly, anew, sharing }: IndexOptions): boolean {
  if (hasTables(dir) || !wasUsed(dir)) return false;
  if (readOnly !== true && anew === true && sharing?.isAlone !== false) {
    for (const name of namesIn(dir)) removeTreeSync(join(dir, name));
    return true;
  }
  if (!existsSync(join(dir, 'tables', 'data.mdb'))) throw lostIndex(dir);
  return false;
}

/**
 * The number of the first shard of an index that is made in the place of a lost one. The peers may hold snapshots that this one does not
 * know, and in a home a number stands for one shard: if both began at 0, no home could take both back. Of eight digits at most, because the
 * links of a snapshot are sorted as text.
 */
export function firstNumberAnew(): number {
  return randomInt(1_000_000, 90_000_000);
}

/**
 * An index that was made anew by a run that died, or restored from an old copy, may name no repository while the home has heads.
 * @throws ShardctlError `NOT_FOUND`
 */
export function assertKnowsHeads(index: { repositories(): readonly unknown[]; refresh(): void }, dir: string): void {
  const isLost = () => index.repositories().length === 0 && hasHeadsBeside(dir);
  if (!isLost()) return;
  // Another run may have committed the first repository in between.
  index.refresh();
  if (isLost()) throw lostIndex(dir);
}

export function lostIndex(dir: string): ShardctlError {
  return new ShardctlError('NOT_FOUND', `the home at ${dirname(dir)} has lost its index: ${dir} knows of no repository any more`, {
    hint: hasHeadsBeside(dir)
      ? howToMake(dir)
      : 'run `shardctl recover --all`: it makes a new one, with every snapshot that its peers hold; or, where none was ever committed, `shardctl add DIR`',
  });
}

/** Whether the home has heads. A head is written after its repository, and removed before it. @param dir of the index */
function hasHeadsBeside(dir: string): boolean {
  return hasHeads(join(dirname(dir), 'heads'));
}

function namesIn(dir: string): string[] {
  if (statSync(dir, { throwIfNoEntry: false }) === undefined) return [];
  return readdirSync(dir).filter((name) => !isForeign(name));
}
