/** Runs tools by turns: A B C A B C, so that a machine that is slow for a while is slow for all of them. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
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

export async function runRounds(corpus: Corpus, plan: Plan): Promise<Run[]> {
  const runs: Run[] = [];
  for (let round = 1; round <= plan.rounds; round++) {
    for (const tool of plan.tools) {
      try {
        for (const run of await takeTurn(corpus, tool, round, plan)) {
          runs.push(run);
          plan.log(
            `${corpus.name} round ${round}  ${tool.name} ${run.phase}: ${run.seconds.toFixed(2)} s, ${Math.round(run.peakRssBytes / 1e6)} MB`,
          );
        }
      } finally {
        rmSync(plan.dest, { recursive: true, force: true });
      }
    }
  }
  return runs;
}

async function takeTurn(corpus: Corpus, tool: Tool, round: number, { dest, again, signal }: Plan): Promise<Run[]> {
  mkdirSync(dest, { recursive: true });
  const log = join(dest, 'log');
  const run = async (phase: Run['phase']): Promise<Run> => {
    // What an earlier run left for the kernel to write must not be written at this one's expense.
    spawnSync('sync');
    return {
      corpus: corpus.name,
      tool: tool.name,
      phase,
      round,
      ...(await measure((phase === 'first' ? tool.first : tool.again)(corpus.dir, dest), log, signal)),
    };
  };
  if (tool.prepare !== undefined) await measure(tool.prepare(dest), log, signal);
  const first = await run('first');
  return again && tool.incremental ? [first, await run('again')] : [first];
}
