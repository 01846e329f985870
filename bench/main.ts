/** `npm run bench -- add|update|memory`: measures shardctl against the tools of today. bench/README.md tells how to read it. */
import { mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Corpus, corpusOf, warm } from './corpus.ts';
import { machineOf, type Report, save, tableOf } from './report.ts';
import { type Run, runRounds } from './rounds.ts';
import { TOOLS, type Tool, versionOf } from './tools.ts';
import { runUpdates, type Stored } from './update.ts';

const BENCHES: Readonly<Record<string, { corpora: string; tools: string; rounds: string; again: boolean }>> = {
  add: { corpora: 'small,large', tools: TOOLS.map((tool) => tool.name).join(','), rounds: '3', again: true },
  update: { corpora: 'small,tiny1m,wide', tools: 'shardctl,restic,rsync', rounds: '3', again: false },
  memory: { corpora: 'tiny100k,tiny1m', tools: 'shardctl', rounds: '1', again: false },
};

const USAGE = `usage: npm run bench -- ${Object.keys(BENCHES).join('|')} [--rounds N] [--corpora a,b] [--tools a,b] [--dest DIR] [--work DIR] [--scale X]`;

/** @returns the exit code */
async function main(args: readonly string[], signal: AbortSignal): Promise<number> {
  const [name, ...rest] = args;
  const bench = BENCHES[name ?? ''];
  if (name === undefined || bench === undefined) {
    console.error(USAGE);
    return 2;
  }
  const string = (value: string) => ({ type: 'string', default: value }) as const;
  const { values } = parseArgs({
    args: rest,
    options: {
      rounds: string(bench.rounds),
      corpora: string(bench.corpora),
      tools: string(bench.tools),
      dest: string('/dev/shm'),
      work: string(process.env.SHARDCTL_BENCH ?? join(homedir(), '.cache', 'shardctl-bench')),
      scale: string('1'),
    },
  });
  const scale = Number(values.scale);
  const log = (line: string) => console.error(line);
  const { tools, versions } = present(values.tools.split(','), log);
  if (tools.length === 0) {
    log('nothing to measure');
    return 1;
  }
  mkdirSync(values.work, { recursive: true });
  const corpora = values.corpora.split(',').map((corpus) => corpusOf(corpus, scale, values.work, log));
  const machine = machineOf(values.dest);
  const plan = {
    tools,
    rounds: Number(values.rounds),
    again: bench.again,
    dest: join(values.dest, `shardctl-bench-${process.pid}`),
    log,
    signal,
  };
  const runs: Run[] = [];
  const stored: Stored[] = [];
  for (const corpus of corpora) {
    warm(corpus.dir);
    if (name === 'update') {
      const updates = await runUpdates(corpus, plan, values.work);
      runs.push(...updates.runs);
      stored.push(...updates.stored);
    } else {
      runs.push(...(await runRounds(corpus, plan)));
    }
  }
  const report: Report = {
    bench: name,
    time: new Date().toISOString(),
    machine,
    scale,
    corpora: corpora.map(({ name, files, bytes }: Corpus) => ({ name, files, bytes })),
    tools: versions,
    runs,
    ...(stored.length > 0 ? { stored } : {}),
  };
  console.log(tableOf(report));
  // A scaled run is a trial of the bench itself: nothing to compare with later.
  if (scale === 1) log(`\nsaved as bench/results/${save(report)}`);
  return 0;
}

/** The tools that are installed, of those that were asked for; the others are named and left out. */
function present(names: readonly string[], log: (line: string) => void): { tools: Tool[]; versions: Record<string, string> } {
  const versions: Record<string, string> = {};
  const tools = TOOLS.filter((tool) => {
    if (!names.includes(tool.name)) return false;
    const version = versionOf(tool);
    if (version === undefined) log(`${tool.name} is not installed: left out`);
    else versions[tool.name] = version;
    return version !== undefined;
  });
  for (const name of names) if (!TOOLS.some((tool) => tool.name === name)) log(`there is no tool "${name}": left out`);
  return { tools, versions };
}

const controller = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => controller.abort(new Error(`stopped by ${signal}`)));
try {
  process.exitCode = await main(process.argv.slice(2), controller.signal);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
