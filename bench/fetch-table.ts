/** What a run of `bench fetch` came to: a table for each corpus, phase and distance, curl from nginx as the measure of the others. */

import { middleOf } from '../src/measure/spread.ts';
import type { Corpus } from './corpus.ts';
import type { Turn } from './fetch-turn.ts';
import { markdown } from './report.ts';

const HEAD = [
  'seconds, median (range)',
  "of the first's time",
  'MB/s',
  'its CPU s',
  'CPU s of servers',
  'peak MB',
  'received, of what was lacking',
];

export function fetchTable(corpus: Corpus, turns: readonly Turn[]): string {
  const its = turns.filter((turn) => turn.corpus === corpus.name);
  const groups = [...new Set(its.map(({ phase, distance }) => `${phase}, ${distance} ms`))];
  return groups
    .map((group) =>
      tableOf(
        corpus,
        group,
        its.filter(({ phase, distance }) => `${phase}, ${distance} ms` === group),
      ),
    )
    .join('\n\n');
}

function tableOf(corpus: Corpus, group: string, turns: readonly Turn[]): string {
  const tools = [...new Set(turns.map(({ tool }) => tool))];
  const of = (tool: string) => turns.filter((turn) => turn.tool === tool);
  const median = (tool: string, value: (turn: Turn) => number) => middleOf(of(tool).map(value)) as number;
  const first = of(tools[0] as string);
  /** Turns of one round were close together, so that what else the machine did met them alike. */
  const ratio = (tool: string) =>
    middleOf(of(tool).map((turn) => wholeSeconds(turn) / wholeSeconds(first.find(({ round }) => round === turn.round) as Turn)));
  const rows = tools.map((tool) => {
    const all = of(tool).map(wholeSeconds);
    const stopped = of(tool).find(({ wasStopped }) => wasStopped);
    const told = stopped === undefined ? '' : stopped.share < 1 ? ' (stopped; as if it had gone on so)' : ' (stopped: takes longer)';
    const received = middleOf(
      of(tool).flatMap(({ received: bytes, changedBytes, share }) => (bytes === undefined ? [] : bytes / share / changedBytes)),
    );
    return [
      `${tool}${told}`,
      `${median(tool, wholeSeconds).toFixed(2)} (${Math.min(...all).toFixed(2)}–${Math.max(...all).toFixed(2)})`,
      `${ratio(tool)?.toFixed(2)} ×`,
      (median(tool, (turn) => turn.changedBytes / wholeSeconds(turn)) / 1e6).toFixed(1),
      median(tool, (turn) => turn.userSeconds + turn.systemSeconds).toFixed(2),
      median(tool, (turn) => turn.serverSeconds).toFixed(2),
      Math.round(median(tool, (turn) => turn.peakRssBytes) / 1e6),
      received === undefined ? '' : `${received.toFixed(2)} ×`,
    ];
  });
  return markdown(corpus, [group, ...HEAD], rows);
}

/** Of one that was stopped: as long as all of it would have taken at that speed. */
function wholeSeconds({ seconds, share }: Turn): number {
  return share === 0 ? Number.POSITIVE_INFINITY : seconds / share;
}
