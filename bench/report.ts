/** Turns runs into medians, a table for people and a file for comparison with later runs. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Report, Run } from '../src/measure/report.ts';
import { middleOf } from '../src/measure/spread.ts';
import type { Stored } from './update.ts';

const RESULTS = join(import.meta.dirname, '..', '..', 'bench', 'results');

/** Of the benches that run tools in rounds. */
export interface RoundsReport extends Report {
  /** Of `update`. */
  readonly stored?: readonly Stored[];
}

/** Markdown: a table for each corpus, tools in the order in which they ran, the first one as the measure of the others. */
export function tableOf({ corpora, runs, machine, stored }: RoundsReport): string {
  const facts = `${machine.cores} cores, Node ${machine.node}, destination on ${machine.destination}, load ${machine.load} at the start`;
  return [
    facts,
    ...corpora.map((corpus) => {
      const its = runs.filter((run) => run.corpus === corpus.name);
      if (its.some((run) => run.daemonSeconds !== undefined)) return groupTables(corpus, its);
      return stored === undefined
        ? corpusTable(corpus, its)
        : updateTable(
            corpus,
            its,
            stored.filter((it) => it.corpus === corpus.name),
          );
    }),
  ].join('\n\n');
}

/** Of the code that is measured, with a `+` where it was changed since; undefined where git does not know. */
function commitOf(): string | undefined {
  const git = (...args: string[]) => spawnSync('git', ['-C', RESULTS, ...args], { encoding: 'utf8' });
  const { status, stdout } = git('rev-parse', '--short=12', 'HEAD');
  if (status !== 0) return undefined;
  return `${stdout.trim()}${git('status', '--porcelain', '--untracked-files=no').stdout === '' ? '' : '+'}`;
}

/** Saves the report, with its commit, as `bench/results/<day>-<bench>-<destination>.json`; returns the name of the file. */
export function save(report: Pick<Report, 'bench' | 'time' | 'machine'>): string {
  mkdirSync(RESULTS, { recursive: true });
  const name = `${report.time.slice(0, 10)}-${report.bench}-${report.machine.destination}.json`;
  writeFileSync(join(RESULTS, name), `${JSON.stringify({ ...report, commit: commitOf() }, null, 1)}\n`);
  return name;
}

function corpusTable(corpus: Report['corpora'][number], runs: readonly Run[]): string {
  const tools = [...new Set(runs.map((run) => run.tool))];
  const measureOfAll = medianOf(runs, tools[0] as string, 'first', (run) => run.seconds) as number;
  const rows = tools.map((tool) => {
    const of = (phase: Run['phase'], value: (run: Run) => number) => medianOf(runs, tool, phase, value);
    const seconds = of('first', (run) => run.seconds) as number;
    const all = runs.filter((run) => run.tool === tool && run.phase === 'first').map((run) => run.seconds);
    const cpu = of('first', (run) => run.userSeconds + run.systemSeconds) as number;
    return [
      tool,
      `${seconds.toFixed(2)} (${Math.min(...all).toFixed(2)}–${Math.max(...all).toFixed(2)})`,
      `${(seconds / measureOfAll).toFixed(2)} ×`,
      Math.round(corpus.files / seconds).toLocaleString('en'),
      Math.round(corpus.bytes / 1e6 / seconds).toLocaleString('en'),
      cpu.toFixed(2),
      Math.round((of('first', (run) => run.peakRssBytes) as number) / 1e6),
      of('again', (run) => run.seconds)?.toFixed(2) ?? '',
    ];
  });
  const head = ['tool', 'seconds, median (range)', `of ${tools[0]}'s time`, 'files/s', 'MB/s', 'CPU s', 'peak MB', 'again, s'];
  return markdown(corpus, head, rows);
}

/** A table for each group of contestants, the first of a group as the measure of the others in it. */
function groupTables(corpus: Report['corpora'][number], runs: readonly Run[]): string {
  const tables = [...new Set(runs.map((run) => run.phase))].map((group) => {
    const tools = [...new Set(runs.filter((run) => run.phase === group).map((run) => run.tool))];
    const of = (tool: string, value: (run: Run) => number) => medianOf(runs, tool, group, value) as number;
    const rows = tools.map((tool) => {
      const all = runs.filter((run) => run.tool === tool).map((run) => run.seconds);
      const seconds = of(tool, (run) => run.seconds);
      return [
        tool,
        `${seconds.toFixed(2)} (${Math.min(...all).toFixed(2)}–${Math.max(...all).toFixed(2)})`,
        `${(seconds / of(tools[0] as string, (run) => run.seconds)).toFixed(2)} ×`,
        Math.round(corpus.bytes / 1e6 / seconds).toLocaleString('en'),
        of(tool, (run) => run.userSeconds + run.systemSeconds).toFixed(2),
        of(tool, (run) => run.daemonSeconds ?? 0).toFixed(2),
        Math.round(of(tool, (run) => run.peakRssBytes) / 1e6),
      ];
    });
    return markdown(
      corpus,
      [group, 'seconds, median (range)', "of the first's time", 'MB/s', 'its CPU s', 'CPU s of daemons', 'peak MB'],
      rows,
    );
  });
  return tables.join('\n\n');
}

/** A line for each edit: seconds of each tool, what they are of the others' time, and what shardctl stored. */
function updateTable(corpus: Report['corpora'][number], runs: readonly Run[], stored: readonly Stored[]): string {
  const tools = [...new Set(runs.map((run) => run.tool))];
  const others = tools.filter((tool) => tool !== 'shardctl');
  const rows = [...new Set(runs.map((run) => run.phase))].map((edit) => {
    const seconds = (tool: string) => medianOf(runs, tool, edit, (run) => run.seconds) as number;
    const its = stored.filter((it) => it.edit === edit);
    const median = (value: (it: Stored) => number | undefined) => middleOf(its.flatMap((it) => value(it) ?? []));
    const growth = median(({ newBytes, changedBytes }) => (changedBytes === 0 ? undefined : newBytes / changedBytes));
    const peak = medianOf(runs, 'shardctl', edit, (run) => run.peakRssBytes) ?? 0;
    return [
      edit,
      ...tools.map((tool) => seconds(tool).toFixed(3)),
      ...others.map((tool) => `${(seconds('shardctl') / seconds(tool)).toFixed(2)} ×`),
      median((it) => it.newBlocks) ?? '',
      growth?.toFixed(2) ?? '',
      median((it) => it.aloneSeconds)?.toFixed(3) ?? '',
      Math.round(peak / 1e6),
    ];
  });
  const head = [
    'changed',
    ...tools.map((tool) => `${tool}, s`),
    ...others.map((tool) => `of ${tool}'s time`),
    'new blocks',
    'new bytes of changed bytes',
    'adding those alone, s',
    'peak MB',
  ];
  return markdown(corpus, head, rows);
}

export function markdown(
  corpus: Report['corpora'][number],
  head: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): string {
  const title = `**${corpus.name}**: ${corpus.files.toLocaleString('en')} files, ${Math.round(corpus.bytes / 1e6).toLocaleString('en')} MB`;
  return `${title}\n\n${[head, head.map((_, at) => (at === 0 ? '---' : '---:')), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n')}`;
}

function medianOf(runs: readonly Run[], tool: string, phase: Run['phase'], value: (run: Run) => number): number | undefined {
  return middleOf(runs.filter((run) => run.tool === tool && run.phase === phase).map(value));
}
