/** `npm run bench -- update`: what bringing a copy up to date costs after nothing, little, and a touch of everything has changed. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Run } from '../src/measure/report.ts';
import type { Tool } from '../src/measure/tools.ts';
import type { Corpus } from './corpus.ts';
import { bytesOf, copyFiles, copyTree, EDITS, type Edit } from './edits.ts';
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
        for (const { tool, dest } of places) {
          const run = await turn(corpus, edit, round, { tool, tree, dest }, plan);
          runs.push(run);
          plan.log(`${corpus.name} round ${round}  ${edit.name}  ${tool.name}: ${run.seconds.toFixed(3)} s`);
        }
        const log = join(plan.dest, 'shardctl.json');
        if (plan.tools.some((tool) => tool.name === 'shardctl')) {
          stored.push({
            corpus: corpus.name,
            edit: edit.name,
            round,
            changedBytes: bytesOf(tree, changed),
            ...storedIn(log),
            ...(await alone(tree, changed, plan, work)),
          });
        }
      }
    }
  } finally {
    rmSync(plan.dest, { recursive: true, force: true });
    rmSync(tree, { recursive: true, force: true });
  }
  return { runs, stored };
}

interface Place {
  readonly tool: Tool;
  readonly tree: string;
  readonly dest: string;
}

async function turn(corpus: Corpus, edit: Edit, round: number, { tool, tree, dest }: Place, plan: Plan): Promise<Run> {
  // What an earlier run left for the kernel to write must not be written at this one's expense.
  spawnSync('sync');
  const log = join(plan.dest, tool.name === 'shardctl' ? 'shardctl.json' : 'log');
  return { corpus: corpus.name, tool: tool.name, phase: edit.name, round, ...(await measure(tool.again(tree, dest), log, plan.signal)) };
}

function storedIn(log: string): Pick<Stored, 'newBytes' | 'newBlocks'> {
  for (const line of readFileSync(log, 'utf8').split('\n')) {
    if (!line.startsWith('{"type":"summary"')) continue;
    const { newBytes, newBlocks } = JSON.parse(line) as { newBytes: number; newBlocks: number };
    return { newBytes, newBlocks };
  }
  throw new Error(`no summary in ${log}`);
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
