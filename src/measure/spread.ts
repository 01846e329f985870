/** What several measurements of one thing say together, and when they say nothing. */

export interface Spread {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

/** Measurements of which the largest is over so many times the smallest say more about the machine than about what was measured. */
export const NOISY = 1.5;

/** @returns undefined of no values */
export function spreadOf(values: readonly number[]): Spread | undefined {
  const median = middleOf(values);
  return median === undefined ? undefined : { median, least: Math.min(...values), most: Math.max(...values) };
}

export function isNoisy({ least, most }: Spread): boolean {
  return most > NOISY * least;
}

/** What part of theirs ours is; undefined where either is too noisy for a verdict. */
export function verdictOf(ours: Spread, theirs: Spread): number | undefined {
  return isNoisy(ours) || isNoisy(theirs) ? undefined : ours.median / theirs.median;
}

export function middleOf(values: readonly number[]): number | undefined {
  const sorted = [...values].sort((a, b) => a - b);
  if (sorted.length === 0) return undefined;
  const middle = (sorted.length - 1) / 2;
  return ((sorted[Math.floor(middle)] as number) + (sorted[Math.ceil(middle)] as number)) / 2;
}
