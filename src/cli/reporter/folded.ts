/** Long lists on a terminal, where there is little room. */

/** So many lines of peers leave room on a terminal for what else is said. */
export const MOST_LINES = 8;

/** The first of many where the room is short, and how many more there are. @param columns of the terminal (`Output.columns`); undefined where all have room */
export function folded<T>(
  all: readonly T[],
  most: number,
  columns: number | undefined,
): { readonly shown: readonly T[]; readonly more: number } {
  // A line that says "one more" takes the room of that one.
  const isLong = columns !== undefined && all.length > most + 1;
  return isLong ? { shown: all.slice(0, most), more: all.length - most } : { shown: all, more: 0 };
}
