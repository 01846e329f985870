/**
 * `runs/check-part.json`: which part of the shards `check` reads next, for each set of repositories that it is run for. Where it is gone
 * or damaged, it begins with the first.
 */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { replaceFileSync } from '../../core/fresh-file.ts';

interface Turn {
  /** From 0. */
  readonly next: number;
  readonly parts: number;
}

/**
 * @param names the repositories that were named; none for all
 * @returns the part that has its turn, from 0; where there were other parts before, the one that begins at the same place
 */
export function partInTurn(runs: string, names: readonly string[], parts: number): number {
  const { next, parts: before } = (turnsIn(runs)[keyOf(names)] ?? {}) as Partial<Turn>;
  if (typeof next !== 'number' || typeof before !== 'number' || !Number.isInteger(next) || !(next >= 0 && next < before)) return 0;
  return Math.floor((next * parts) / before);
}

/** Called when parts have been read to their end. */
export function notePartsRead(runs: string, names: readonly string[], { first, count, parts }: PartsRead): void {
  const turn: Turn = { next: (first + count) % parts, parts };
  const path = pathIn(runs);
  try {
    mkdirSync(runs, { recursive: true });
    replaceFileSync(path, `${JSON.stringify({ ...turnsIn(runs), [keyOf(names)]: turn })}\n`, false);
  } catch {
    // The next run reads these again.
  }
}

/** `count` of `parts` parts, from `first` on, counted from 0. */
export interface PartsRead {
  readonly first: number;
  readonly count: number;
  readonly parts: number;
}

function turnsIn(runs: string): Readonly<Record<string, unknown>> {
  try {
    const turns = JSON.parse(readFileSync(pathIn(runs), 'utf8')) as unknown;
    return typeof turns === 'object' && turns !== null ? (turns as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

/** Names of repositories have no spaces or are told apart by them well enough: at worst a part is read twice. */
function keyOf(names: readonly string[]): string {
  return [...names].sort().join(' ');
}

function pathIn(runs: string): string {
  return join(runs, 'check-part.json');
}
