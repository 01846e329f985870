/** `npm run bench -- told`: what an update costs that is told which ten files have changed, beside the start of the program. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { Cost } from '../src/measure/measure.ts';
import { middleOf } from '../src/measure/spread.ts';
import { corpusOf } from './corpus.ts';
import { filesOf, linkedCopy } from './edits.ts';
import { measure, SHARDCTL } from './tools.ts';

const CHANGED = 10;
/** Longer than the clock's granularity: what is written just before a scan is read again by the next. */
const SETTLE_MS = 100;

const PHASES = ['start (--version)', 'status', 'told of ten files', 'ten files, found by a scan', 'nothing, by a scan'] as const;
type Phase = (typeof PHASES)[number];

/** @returns the exit code: 1 when a told update has made another tree than a look at everything */
export async function runTold(args: readonly string[], log: (line: string) => void, signal: AbortSignal): Promise<number> {
  const string = (value: string) => ({ type: 'string', default: value }) as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: string('5'),
      corpora: string('tiny10k,tiny100k,tiny1m'),
      dest: string('/dev/shm'),
      work: string(process.env.SHARDCTL_BENCH ?? join(homedir(), '.cache', 'shardctl-bench')),
      scale: string('1'),
    },
  });
  mkdirSync(values.work, { recursive: true });
  const dest = join(values.dest, `shardctl-bench-${process.pid}`);
  let isRight = true;
  console.log('| tree | | wall, median s | least s | processor, median s | least s | MB |\n|---|---|---|---|---|---|---|');
  for (const name of values.corpora.split(',')) {
    const corpus = corpusOf(name, Number(values.scale), values.work, log);
    const tree = join(values.work, 'edited', `told-${process.pid}`);
    const costs = new Map<Phase, Cost[]>(PHASES.map((phase) => [phase, []]));
    try {
      mkdirSync(dest, { recursive: true });
      mkdirSync(join(values.work, 'edited'), { recursive: true });
      linkedCopy(corpus.dir, tree);
      const files = filesOf(tree);
      await sleep(SETTLE_MS);
      const run = async (phase: Phase | undefined, ...command: readonly string[]) => {
        const home = phase === PHASES[0] ? [] : ['--home', join(dest, 'home')];
        const cost = await measure({ argv: [process.execPath, SHARDCTL, ...command, ...home] }, join(dest, 'log'), signal);
        if (phase !== undefined) costs.get(phase)?.push(cost);
        return readFileSync(join(dest, 'log'), 'utf8').trim();
      };
      const list = join(dest, 'list');
      const told = ['update', 'bench', '--files-from', list, '--root-only'];
      const scan = ['update', 'bench', '--root-only'];
      await run(undefined, 'add', tree, '--name', 'bench', '--quiet');
      await run(undefined, ...scan);
      for (let round = 1; round <= Number(values.rounds); round++) {
        await run('start (--version)', '--version');
        await run('status', 'status', '--quiet');
        await change(tree, files, round, list);
        const root = await run('told of ten files', ...told);
        // Each second time, so that half of the told updates find whole entries and half find a patch.
        if (round % 2 === 0) {
          isRight &&= root === (await run('nothing, by a scan', ...scan));
          await change(tree, files, round + 0.5, list);
          await run('ten files, found by a scan', ...scan);
        }
      }
    } finally {
      for (const dir of [dest, tree]) rmSync(dir, { recursive: true, force: true });
    }
    for (const [phase, its] of costs) console.log(row(`${corpus.files} files`, phase, its));
  }
  if (!isRight) log('a told update has made another tree than a look at everything');
  return isRight ? 0 : 1;
}

/** Replaces ten files, far from one another. @param list where their paths go */
async function change(tree: string, files: readonly string[], round: number, list: string): Promise<void> {
  const chosen = Array.from({ length: CHANGED }, (_, i) => {
    const at = Math.floor((i * files.length) / CHANGED) + Math.floor(round * 2) * 17;
    return files[at % files.length] as string;
  });
  for (const path of chosen) {
    // The tree is made of links: only the copy may change.
    rmSync(join(tree, path));
    writeFileSync(join(tree, path), `round ${round} of ${path}\n`.repeat(5));
  }
  writeFileSync(list, `${chosen.join('\n')}\n`);
  await sleep(SETTLE_MS);
}

function row(tree: string, phase: string, costs: readonly Cost[]): string {
  const [wall, cpu] = [costs.map(({ seconds }) => seconds), costs.map((cost) => cost.userSeconds + cost.systemSeconds)];
  const seconds = [middleOf(wall), Math.min(...wall), middleOf(cpu), Math.min(...cpu)].map((it) => it?.toFixed(2));
  const peak = Math.max(...costs.map(({ peakRssBytes }) => peakRssBytes));
  return `| ${[tree, phase, ...seconds, Math.round(peak / 1e6)].join(' | ')} |`;
}
