/** Columns of text, padded to the widest cell. What a terminal has no room for is shortened; a pipe gets all of it. */

const CID = /\bbaf[a-z2-7]{50,}\b/g;
const CID_END = 8;
const TIME = /\b(\d{4}-\d\d-\d\d)T(\d\d:\d\d):\d\d(?:\.\d+)?Z/g;
/** A cell that is nothing else, as they are shortened: a part of it would say nothing. */
const SHORTENED = /^(?:\d{4}-\d\d-\d\d \d\d:\d\d|…[a-z2-7]{8}|-)$/;
const GAP = 2;
/** A column is not made narrower than this. */
const LEAST_COLUMNS = 8;

/**
 * @param align one letter a column: `l` or `r`
 * @param columns of the terminal (`Output.columns`); undefined where nothing may be shortened
 */
export function table(rows: readonly (readonly string[])[], align: string, columns?: number): string[] {
  const shown = columns === undefined ? rows : fitted(rows, align, columns);
  const widths = widthsOf(shown, align.length);
  return shown.map((row) =>
    row
      .map((cell, column) => (align[column] === 'r' ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0)))
      .join(' '.repeat(GAP))
      .trimEnd(),
  );
}

/** The end of a CID: they begin alike. */
export function shortCid(cid: string): string {
  return `…${cid.slice(-CID_END)}`;
}

/** Each step is taken only where those before it were not enough. */
function fitted(rows: readonly (readonly string[])[], align: string, columns: number): readonly (readonly string[])[] {
  const steps = [(cell: string) => cell.replaceAll(CID, shortCid), (cell: string) => cell.replaceAll(TIME, '$1 $2')];
  let shown = rows;
  for (const step of steps) {
    if (tooWide(shown, align, columns) <= 0) return shown;
    shown = shown.map((row) => row.map(step));
  }
  for (;;) {
    const over = tooWide(shown, align, columns);
    if (over <= 0) return shown;
    const widths = widthsOf(shown, align.length);
    const left = [...align].flatMap((letter, at) => (letter === 'l' ? [at] : []));
    const plain = left.filter((at) => !shown.slice(1).every((row) => SHORTENED.test(row[at] ?? '-')));
    const [widest = 0] = (plain.length > 0 ? plain : left).toSorted((a, b) => (widths[b] ?? 0) - (widths[a] ?? 0));
    const width = Math.max((widths[widest] ?? 0) - over, LEAST_COLUMNS);
    if (width >= (widths[widest] ?? 0)) return shown;
    shown = shown.map((row) => row.map((cell, at) => (at === widest ? cut(cell, width) : cell)));
  }
}

function tooWide(rows: readonly (readonly string[])[], align: string, columns: number): number {
  return widthsOf(rows, align.length).reduce((sum, width) => sum + width, (align.length - 1) * GAP) - columns;
}

function widthsOf(rows: readonly (readonly string[])[], count: number): number[] {
  return Array.from({ length: count }, (_, column) => rows.reduce((most, row) => Math.max(most, row[column]?.length ?? 0), 0));
}

/** Without its middle: of paths and names the end says as much as the beginning. */
function cut(cell: string, width: number): string {
  if (cell.length <= width) return cell;
  const end = Math.floor((width - 1) / 2);
  return `${cell.slice(0, width - 1 - end)}…${cell.slice(cell.length - end)}`;
}
