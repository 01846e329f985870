/** What a bench has measured as groups of values, whatever the bench: its JSON has a list of runs, or of turns. */
import { type Spread, spreadOf } from '../spread.ts';

export interface Figure {
  readonly key: string;
  readonly label: string;
  readonly better: 'less' | 'more';
  readonly kind: 'seconds' | 'bytes' | 'count' | 'milliseconds';
}

export interface Row {
  readonly tool: string;
  /** All runs of that tool in this panel, by `Figure.key`. */
  readonly values: Readonly<Record<string, readonly number[]>>;
}

/** What is compared with one another: one tree, one thing done to it. */
export interface Panel {
  readonly group: string;
  readonly title: string;
  readonly rows: readonly Row[];
}

export interface Figures {
  readonly panels: readonly Panel[];
  /** Those of which there is a value. The first one is what the panels draw. */
  readonly figures: readonly Figure[];
}

type Json = Readonly<Record<string, unknown>>;

/** What is told first comes first. */
const FIGURES: readonly (Figure & { readonly of: (run: Json) => number | undefined })[] = [
  count('rate', 'requests a second', (run) => ratio(run.requests, run.seconds)),
  {
    key: 'seconds',
    label: 'seconds',
    better: 'less',
    kind: 'seconds',
    of: (run) => (run.requests === undefined ? number(run.seconds) : undefined),
  },
  milliseconds('crowdedMedianMs', 'waited, median', (run) => number((run.crowded as Json | undefined)?.medianMs)),
  milliseconds('crowdedP99Ms', 'waited, 99 of 100', (run) => number((run.crowded as Json | undefined)?.p99Ms)),
  milliseconds('p99Ms', '99 of 100 answers came within', (run) => number(run.p99Ms)),
  {
    key: 'cpu',
    label: 'processor time',
    better: 'less',
    kind: 'seconds',
    of: (run) => number(run.cpuSeconds) ?? sum(run.userSeconds, run.systemSeconds),
  },
  {
    key: 'daemons',
    label: 'of daemons',
    better: 'less',
    kind: 'seconds',
    of: (run) => number(run.daemonSeconds) ?? number(run.serverSeconds),
  },
  bytes('memory', 'memory', (run) => number(run.treePeakBytes) ?? number(run.peakRssBytes) ?? number(run.peakBytes)),
  bytes('read', 'read', (run) => number(run.readBytes)),
  bytes('written', 'written', (run) => number(run.writtenBytes)),
  bytes('received', 'received', (run) => number(run.received)),
  count('blocks', 'new blocks', (run) => number(run.newBlocks)),
];

/** @param report JSON of any bench @returns no panels where it is neither a list of runs nor of turns */
export function figuresOf(report: Json): Figures {
  const panels = new Map<string, { group: string; title: string; rows: Map<string, Record<string, number[]>> }>();
  const seen = new Set<string>();
  for (const run of [report.runs, report.turns].flatMap((list) => (Array.isArray(list) ? (list as Json[]) : []))) {
    const group = String(run.corpus ?? '');
    const distance = Number(run.distance ?? 0) > 0 ? `, ${run.distance} ms away` : '';
    const title = `${run.phase ?? run.way ?? ''}${distance}`;
    const key = JSON.stringify([group, title]);
    const panel = panels.get(key) ?? { group, title, rows: new Map() };
    panels.set(key, panel);
    const values = panel.rows.get(String(run.tool)) ?? {};
    panel.rows.set(String(run.tool), values);
    for (const { key, of } of FIGURES) {
      const value = of(run);
      if (value === undefined) continue;
      seen.add(key);
      values[key] = [...(values[key] ?? []), value];
    }
  }
  return {
    panels: [...panels.values()].map((panel) => ({ ...panel, rows: [...panel.rows].map(([tool, values]) => ({ tool, values })) })),
    figures: FIGURES.filter(({ key }) => seen.has(key)),
  };
}

export function spreadIn(row: Row, key: string): Spread | undefined {
  return spreadOf(row.values[key] ?? []);
}

function count(key: string, label: string, of: (run: Json) => number | undefined): (typeof FIGURES)[number] {
  return { key, label, better: key === 'rate' ? 'more' : 'less', kind: 'count', of };
}

function bytes(key: string, label: string, of: (run: Json) => number | undefined): (typeof FIGURES)[number] {
  return { key, label, better: 'less', kind: 'bytes', of };
}

function milliseconds(key: string, label: string, of: (run: Json) => number | undefined): (typeof FIGURES)[number] {
  return { key, label, better: 'less', kind: 'milliseconds', of };
}

function number(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined;
}

function sum(a: unknown, b: unknown): number | undefined {
  return typeof a === 'number' && typeof b === 'number' ? a + b : undefined;
}

function ratio(a: unknown, b: unknown): number | undefined {
  return typeof a === 'number' && typeof b === 'number' ? a / b : undefined;
}
