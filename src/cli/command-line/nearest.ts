/** What somebody may have meant who mistyped a word. */

/** As many slips as one letter of three, and not more than this. */
const MOST_SLIPS = 2;

/** The words that are as near as any to what was typed, or that it begins; none when nothing is near. */
export function nearest(typed: string, words: readonly string[]): readonly string[] {
  const begun = typed.length >= 2 ? words.filter((word) => word.startsWith(typed)) : [];
  if (begun.length > 0) return begun;
  const measured = words.map((word) => ({ word, slips: slipsBetween(typed, word) }));
  const least = Math.min(...measured.map(({ slips }) => slips));
  if (least > Math.min(MOST_SLIPS, Math.ceil(typed.length / 3))) return [];
  return measured.filter(({ slips }) => slips === least).map(({ word }) => word);
}

/** How many letters are missing, too many, wrong, or in the place of the one beside them. */
function slipsBetween(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const isSame = a[i - 1] === b[j - 1];
      const isSwapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      row[j] = Math.min(
        at(last, j) + 1,
        at(row, j - 1) + 1,
        at(last, j - 1) + (isSame ? 0 : 1),
        isSwapped ? at(before, j - 2) + 1 : Infinity,
      );
    }
    [before, last] = [last, row];
  }
  return at(last, b.length);
}

function at(row: readonly number[], column: number): number {
  return row[column] ?? Infinity;
}
