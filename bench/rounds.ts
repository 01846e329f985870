/** Runs tools by turns: A B C A B C, so that a machine that is slow for a while is slow for all of them. */
import { rmSync } from 'node:fs';
import { PHASES, type Turn, takeTurn } from '../src/measure/mirror/turn.ts';
import type { Run } from '../src/measure/report.ts';
import type { Tool } from '../src/measure/tools.ts';
import type { Corpus } from './corpus.ts';
import { measure } from './tools.ts';

export interface Plan {
  readonly tools: readonly Tool[];
  readonly rounds: number;
  /** Whether the second, unchanged run is measured where a tool has one. */
  readonly again: boolean;
  /** Emptied before each tool's turn, removed after it. */
  readonly dest: string;
  readonly log: (line: string) => void;
  readonly signal: AbortSignal;
}

/** As saved results call them, of which some are from before `shardctl bench`. */
const SAVED: Readonly<Record<string, string>> = { [PHASES.first]: 'first', [PHASES.nothing]: 'again' };

/** @throws WrongResult, and what `Measure` throws */
export async function runRounds(corpus: Corpus, { tools, rounds, again, dest, log, signal }: Plan): Promise<Run[]> {
  const turn: Turn = {
    ...{ source: corpus.dir, sample: [], dest, measure, signal },
    phases: again ? ['nothing'] : [],
    roots: new Map(),
    compared: new Set(),
  };
  const runs: Run[] = [];
  for (let round = 1; round <= rounds; round++) {
    for (const tool of tools) {
      try {
        for (const { phase, ...run } of await takeTurn(tool, turn)) {
          const saved = SAVED[phase] ?? phase;
          runs.push({ corpus: corpus.name, round, phase: saved, ...run });
          log(
            `${corpus.name} round ${round}  ${tool.name} ${saved}: ${run.seconds.toFixed(2)} s, ${Math.round(run.peakRssBytes / 1e6)} MB`,
          );
        }
      } finally {
        rmSync(dest, { recursive: true, force: true });
      }
    }
  }
  return runs;
}
