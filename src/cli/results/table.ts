/** Columns of text, padded to the widest cell. */

/** @param align one letter a column: `l` or `r` */
export function table(rows: readonly (readonly string[])[], align: string): string[] {
  const columns = Array.from(align, (letter, column) => ({
    isRight: letter === 'r',
    width: Math.max(0, ...rows.map((row) => (row[column] ?? '').length)),
  }));
  return rows.map((row) =>
    columns
      .flatMap(({ isRight, width }, column) => {
        const cell = row[column];
        if (cell === undefined) return [];
        return [isRight ? cell.padStart(width) : cell.padEnd(width)];
      })
      .join('  ')
      .trimEnd(),
  );
}
