/** The last words of `bench`: a table for each thing that was measured. */
import { formatSize } from '../../home/sizes.ts';
import type { Report, Run } from '../../measure/report.ts';
import { middleOf, NOISY, type Spread, spreadOf, verdictOf } from '../../measure/spread.ts';
import { isOurs } from '../../measure/tools.ts';
import { counted } from '../reporter/text.ts';
import { table } from './table.ts';

const HEAD = ['', 'seconds', 'CPU s', 'memory', 'read', 'written', 'shardctl takes'];

export function benchedLines(report: Report, columns: number | undefined): string[] {
  const { corpora, machine, tools, runs } = report;
  const [corpus] = corpora;
  const phases = [...new Set(runs.map(({ phase }) => phase))];
  return [
    `${corpus?.name}: ${counted(corpus?.files ?? 0, 'file')}, ${formatSize(corpus?.bytes ?? 0)}; ${counted(machine.cores, 'core')}, ${machine.destination}, load ${machine.load} at the start`,
    ...table(
      [
        HEAD,
        ...phases.flatMap((phase) => [
          [phase, '', '', '', '', '', ''],
          ...Object.keys(tools).flatMap((tool) =>
            rowOf(
              tool,
              runs.filter((run) => run.phase === phase),
            ),
          ),
        ]),
      ],
      'lrrrrrl',
      columns,
    ),
    ...storedLines(runs),
    'each result was checked: the same root each time, and what came back was what went in',
  ];
}

function rowOf(tool: string, runs: readonly Run[]): string[][] {
  const its = runs.filter((run) => run.tool === tool);
  const seconds = spreadOf(its.map((run) => run.seconds));
  if (seconds === undefined) return [];
  const middle = (value: (run: Run) => number) => middleOf(its.map(value)) ?? 0;
  const ours = spreadOf(runs.filter((run) => isOurs(run.tool)).map((run) => run.seconds));
  return [
    [
      `  ${tool}`,
      `${seconds.median.toFixed(2)} (${seconds.least.toFixed(2)}–${seconds.most.toFixed(2)})`,
      middle((run) => run.userSeconds + run.systemSeconds).toFixed(2),
      formatSize(middle((run) => run.treePeakBytes)),
      formatSize(middle((run) => run.readBytes)),
      formatSize(middle((run) => run.writtenBytes)),
      isOurs(tool) || ours === undefined ? '' : shownVerdict(ours, seconds),
    ],
  ];
}

function shownVerdict(ours: Spread, theirs: Spread): string {
  const verdict = verdictOf(ours, theirs);
  return verdict === undefined ? `too noisy: a run took over ${NOISY} × another` : `${verdict.toFixed(2)} of its time`;
}

function storedLines(runs: readonly Run[]): string[] {
  return runs
    .filter(({ tool, round, newShards }) => isOurs(tool) && round === 1 && newShards !== undefined)
    .map(
      ({ phase, newBlocks = 0, newBytes = 0, newShards = 0 }) =>
        `stored by shardctl, ${phase}: ${counted(newBlocks, 'block')}, ${formatSize(newBytes)}, ${counted(newShards, 'shard')}`,
    );
}
