/** One panel as a picture: a bar for the median of each tool, a line from its best run to its worst, and a dot for each. */
import { barX, dotX, plot, ruleX, ruleY, text } from '@observablehq/plot';
import { DOMImplementation } from '@xmldom/xmldom';
import { isOurs } from '../tools.ts';
import type { Figure, Panel } from './figures.ts';
import { spreadIn } from './figures.ts';
import { shownValue } from './values.ts';

const WIDTH = 440;
const ROW_HEIGHT = 30;
const MARGIN = { top: 4, right: 78, bottom: 28, left: 12 };
const LONGEST_NAME = 26;
/** Of a letter, on the average. */
const LETTER_WIDTH = 6.6;

/** @returns an SVG element, whose colours are those of the page */
export function plotOf(panel: Panel, figure: Figure): string {
  const rows = panel.rows.flatMap((row) => {
    const spread = spreadIn(row, figure.key);
    return spread === undefined ? [] : [{ tool: row.tool, ...spread, values: row.values[figure.key] ?? [] }];
  });
  const document = new DOMImplementation().createDocument('http://www.w3.org/1999/xhtml', 'html', null);
  const scale = figure.kind === 'bytes' ? 1024 ** 2 : 1;
  const longest = Math.min(LONGEST_NAME, Math.max(...rows.map(({ tool }) => tool.length)));
  const picture = plot({
    document: document as never,
    width: WIDTH,
    height: MARGIN.top + MARGIN.bottom + ROW_HEIGHT * rows.length,
    marginTop: MARGIN.top,
    marginRight: MARGIN.right,
    marginBottom: MARGIN.bottom,
    marginLeft: MARGIN.left + LETTER_WIDTH * longest,
    x: {
      label: null,
      ticks: figure.kind === 'count' ? 3 : 4,
      nice: true,
      zero: true,
      tickSize: 0,
      transform: (value: number) => value / scale,
    },
    y: {
      label: null,
      tickSize: 0,
      domain: rows.map((row) => row.tool),
      tickFormat: (name: string) => (name.length > LONGEST_NAME ? `${name.slice(0, LONGEST_NAME - 1)}…` : name),
      padding: 0.35,
    },
    marks: [
      barX(rows, { x: 'median', y: 'tool', fill: (row: { tool: string }) => `var(--${isOurs(row.tool) ? 'ours' : 'theirs'})`, rx2: 3 }),
      ruleY(rows, { x1: 'least', x2: 'most', y: 'tool', stroke: 'var(--range)', strokeWidth: 1.5 }),
      dotX(
        rows.flatMap(({ tool, values }) => values.map((value) => ({ tool, value }))),
        { x: 'value', y: 'tool', r: 2.5, fill: 'var(--range)' },
      ),
      text(rows, { x: 'most', y: 'tool', text: (row: { median: number }) => shownValue(row.median, figure), dx: 8, textAnchor: 'start' }),
      ruleX([0], { stroke: 'var(--faint)' }),
    ],
  });
  return String(picture);
}
