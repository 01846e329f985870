/** A repository's snapshots over time: how large it was, as a line, and what each has brought, as bars. */
import type { SnapshotPoint } from './home-state.ts';
import { size } from './html.ts';

const WIDTH = 600;
const HEIGHT = 96;
/** The line keeps to the upper part, the bars to the lower one. */
const LINE_BOTTOM = 56;
const BARS_TOP = 62;

/** An SVG as wide as there is room; empty for a repository with one snapshot, of which there is nothing to compare. */
export function plot(points: readonly SnapshotPoint[]): string {
  const [first] = points;
  const last = points.at(-1);
  if (first === undefined || last === undefined || points.length < 2) return '';
  const from = first.time;
  const duration = Math.max(1, last.time - from);
  const x = (time: number) => round(8 + ((time - from) / duration) * (WIDTH - 16));
  const most = Math.max(1, ...points.map(({ bytes }) => bytes));
  const least = Math.min(...points.map(({ bytes }) => bytes));
  // From zero, unless that would make a flat line of a mirror that grows by a thousandth a day.
  const base = least > most * 0.8 ? least - (most - least) * 0.5 - most * 0.001 : 0;
  const y = (bytes: number) => round(LINE_BOTTOM - ((bytes - base) / Math.max(1, most - base)) * (LINE_BOTTOM - 6));
  const mostNew = Math.max(1, ...points.slice(1).map(({ newBytes }) => newBytes));
  const corners = points.map(({ time, bytes }) => `${x(time)},${y(bytes)}`);
  const width = round(Math.max(1.5, Math.min(10, (WIDTH - 16) / points.length - 1)));
  const bars = points.slice(1).map(({ number, time, newBytes }) => {
    // By the square root: one large import would hide the daily changes.
    const height = round(newBytes === 0 ? 0 : Math.max(1.5, Math.sqrt(newBytes / mostNew) * (HEIGHT - BARS_TOP)));
    const title = `@${number}, ${day(time)}: ${size(newBytes)} new`;
    return `<rect class="new" x="${round(x(time) - width / 2)}" y="${round(HEIGHT - height)}" width="${width}" height="${height}"><title>${title}</title></rect>`;
  });
  // On one day the day alone says nothing.
  const edge = day(from) === day(last.time) ? minute : day;
  const label = `${points.length} snapshots from ${day(from)} to ${day(last.time)}: ${size(first.bytes)} then, ${size(last.bytes)} now`;
  return `<figure><svg class="plot" viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none" role="img" aria-label="${label}">
<path class="area" d="M${x(from)},${LINE_BOTTOM}L${corners.join('L')}L${x(last.time)},${LINE_BOTTOM}Z"/><polyline class="line" points="${corners.join(' ')}"/>${bars.join('')}</svg>
<figcaption><span>${edge(from)}</span><span>size, and what each snapshot after the first has brought</span><span>${edge(last.time)}</span></figcaption></figure>`;
}

function round(n: number): number {
  return Math.round(n * 10) / 10;
}

function minute(time: number): string {
  return `${new Date(time).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

function day(time: number): string {
  return new Date(time).toISOString().slice(0, 10);
}
