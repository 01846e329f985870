/** What shardctl and the tools of today take for one mirror: in rounds, A B C A B C, so that a noisy minute hits all of them. */
import { join } from 'node:path';
import type { Machine } from '../machine.ts';
import type { Measure } from '../measure.ts';
import type { Report, Run } from '../report.ts';
import type { Tool } from '../tools.ts';
import type { Census } from './census.ts';
import { type Turn, takeTurn } from './turn.ts';

export interface MirrorBench {
  /** The whole path of the mirror, which is only read. */
  readonly source: string;
  readonly name: string;
  readonly census: Census;
  /** Whether what is new of one file in a hundred can be measured (`whyNothingNew`). */
  readonly hasNew: boolean;
  readonly passedOver: Turn['passedOver'];
  /** The first one is what the others are compared with: when it fails, the bench does. */
  readonly tools: readonly Tool[];
  readonly versions: Readonly<Record<string, string>>;
  readonly rounds: number;
  /** A directory of its own. */
  readonly dest: string;
  readonly machine: Machine;
  readonly measure: Measure;
  readonly time: Date;
  readonly signal: AbortSignal;
  readonly onRun: Turn['onRun'];
  /** A tool that fails, or whose result is wrong, takes part no more, and none of its runs is counted. */
  readonly onLeftOut: (tool: string, why: unknown) => void;
}

/** @throws WrongResult, and what `Measure` throws, when it is the first tool */
export async function benchMirror(bench: MirrorBench): Promise<Report> {
  const { source, name, census, tools, measure, signal, onRun, passedOver } = bench;
  const turn: Turn = {
    ...{ source, passedOver, measure, signal, onRun },
    dest: join(bench.dest, 'turn'),
    phases: ['nothing', 'back', ...(bench.hasNew ? (['sample'] as const) : [])],
    sample: census.sample,
    roots: new Map(),
    compared: new Set(),
  };
  const failed = new Set<Tool>();
  const runs: Run[] = [];
  for (let round = 1; round <= bench.rounds; round++) {
    for (const tool of tools.filter((it) => !failed.has(it))) {
      try {
        runs.push(...(await takeTurn(tool, turn)).map((run) => ({ corpus: name, round, ...run })));
      } catch (error) {
        signal.throwIfAborted();
        if (tool === tools[0]) throw error;
        failed.add(tool);
        bench.onLeftOut(tool.name, error);
      }
    }
  }
  const out = new Set([...failed].map((tool) => tool.name));
  return {
    bench: 'mirror',
    time: bench.time.toISOString(),
    machine: bench.machine,
    scale: 1,
    corpora: [{ name, files: census.files, bytes: census.bytes }],
    tools: Object.fromEntries(Object.entries(bench.versions).filter(([tool]) => !out.has(tool))),
    runs: runs.filter(({ tool }) => !out.has(tool)),
  };
}
