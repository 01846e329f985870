/** `npm run bench -- update`: what bringing a copy up to date costs after nothing, little, and a touch of everything has changed. */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Run } from '../src/measure/report.ts';
import { timedRun } from '../src/measure/timed-run.ts';
import { isOurs, type Said } from '../src/measure/tools.ts';
import type { Corpus } from './corpus.ts';
import { bytesOf, copyFiles, copyTree, EDITS } from './edits.ts';
import type { Plan } from './rounds.ts';
import { measure, SHARDCTL } from './tools.ts';

/** What one update of shardctl stored, beside what had changed. */
export interface Stored {
  readonly corpus: string;
  readonly edit: string;
  readonly round: number;
  readonly changedBytes: number;
  readonly newBytes: number;
  readonly newBlocks: number;
  /** Seconds of an `add` of the changed files alone into an empty home; absent where nothing changed. */
  readonly aloneSeconds?: number;
}

/** Longer than the clock's granularity: what is written just before a scan is read again by the next, and would be measured there. */
const SETTLE_MS = 100;

/** Each round makes each edit once, and then all tools take their turns on the same tree. */
export async function runUpdates(corpus: Corpus, plan: Plan, work: string): Promise<{ runs: Run[]; stored: Stored[] }> {
  const tree = join(work, 'edited', corpus.name);
  const places = plan.tools.map((tool) => ({ tool, dest: join(plan.dest, tool.name.replace(/\W/g, '-')) }));
  const runs: Run[] = [];
  const stored: Stored[] = [];
  try {
    plan.log(`copying ${corpus.name}`);
    copyTree(corpus.dir, tree);
    await sleep(SETTLE_MS);
    for (const { tool, dest } of places) {
      mkdirSync(dest, { recursive: true });
      if (tool.prepare !== undefined) await measure(tool.prepare(dest), join(plan.dest, 'log'), plan.signal);
      await measure(tool.first(tree, dest), join(plan.dest, 'log'), plan.signal);
      await measure(tool.again(tree, dest), join(plan.dest, 'log'), plan.signal);
    }
    for (let round = 1; round <= plan.rounds; round++) {
      for (const edit of EDITS) {
        const changed = edit.apply(tree, round);
        await sleep(SETTLE_MS);
        const of = { corpus: corpus.name, round };
        let ours: Said | undefined;
        for (const { tool, dest } of places) {
          const { cost, said } = await timedRun(tool, tool.again(tree, dest), {
            measure,
            log: join(plan.dest, 'log'),
            signal: plan.signal,
          });
          runs.push({ ...of, tool: tool.name, phase: edit.name, ...cost });
          plan.log(`${corpus.name} round ${round}  ${edit.name}  ${tool.name}: ${cost.seconds.toFixed(3)} s`);
          if (isOurs(tool.name)) ours = said;
        }
        if (ours !== undefined) {
          const { newBytes, newBlocks } = ours;
          if (newBytes === undefined || newBlocks === undefined) throw new Error('shardctl has told no summary');
          const changedBytes = bytesOf(tree, changed);
          stored.push({ ...of, edit: edit.name, changedBytes, newBytes, newBlocks, ...(await alone(tree, changed, plan, work)) });
        }
      }
    }
  } finally {
    rmSync(plan.dest, { recursive: true, force: true });
    rmSync(tree, { recursive: true, force: true });
  }
  return { runs, stored };
}

async function alone(tree: string, changed: readonly string[], { dest, signal }: Plan, work: string): Promise<{ aloneSeconds?: number }> {
  if (changed.length === 0) return {};
  const [source, home] = [join(work, 'edited', 'alone'), join(dest, 'alone')];
  copyFiles(tree, changed, source);
  try {
    const argv = [process.execPath, SHARDCTL, 'add', source, '--name', 'alone', '--home', home, '--quiet'] as const;
    return { aloneSeconds: (await measure({ argv }, join(dest, 'log'), signal)).seconds };
  } finally {
    rmSync(source, { recursive: true, force: true });
    rmSync(home, { recursive: true, force: true });
  }
}
