/** `npm run bench -- add|update|memory|peers|get`: measures shardctl against the tools of today. bench/README.md tells how to read it. */
import { mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { CONTESTANTS } from './contestants.ts';
import { type Corpus, corpusOf, warm } from './corpus.ts';
import { GETTERS, runGets } from './get.ts';
import { runPeers } from './peers.ts';
import { quietlyWith } from './quiet.ts';
import { machineOf, type Report, save, tableOf } from './report.ts';
import { type Run, runRounds } from './rounds.ts';
import { TOOLS, type Tool, versionOf } from './tools.ts';
import { runUpdates, type Stored } from './update.ts';

const BENCHES: Readonly<Record<string, { corpora: string; tools: string; rounds: string; again: boolean }>> = {
  add: { corpora: 'small,large', tools: TOOLS.map((tool) => tool.name).join(','), rounds: '3', again: true },
  update: { corpora: 'small,tiny1m,wide', tools: 'shardctl,restic,rsync', rounds: '3', again: false },
  memory: { corpora: 'tiny100k,tiny1m', tools: 'shardctl', rounds: '1', again: false },
  peers: { corpora: 'small,large', tools: CONTESTANTS.map(({ name }) => name).join(','), rounds: '3', again: false },
  get: { corpora: 'small,large', tools: GETTERS.map(({ name }) => name).join(','), rounds: '3', again: false },
};

const USAGE = `usage: npm run bench -- ${Object.keys(BENCHES).join('|')} [--rounds N] [--corpora a,b] [--tools a,b] [--dest DIR] [--work DIR] [--scale X] [--lock FILE]`;

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
      lock: { type: 'string' },
    },
  });
  const scale = Number(values.scale);
  const log = (line: string) => console.error(line);
  const asked = values.tools.split(',');
  const versions = present(name === 'peers' ? CONTESTANTS : name === 'get' ? GETTERS : TOOLS, asked, log);
  const isPresent = (it: { readonly name: string }) => versions[it.name] !== undefined;
  if (Object.keys(versions).length === 0) {
    log('nothing to measure');
    return 1;
  }
  mkdirSync(values.work, { recursive: true });
  const corpora = values.corpora.split(',').map((corpus) => corpusOf(corpus, scale, values.work, log));
  const machine = machineOf(values.dest);
  const plan = {
    tools: TOOLS.filter(isPresent),
    contestants: CONTESTANTS.filter(isPresent),
    quietly: quietlyWith(values.lock),
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
    } else if (name === 'get') {
      runs.push(...(await runGets(corpus, GETTERS.filter(isPresent), plan)));
    } else {
      runs.push(...(await (name === 'peers' ? runPeers : runRounds)(corpus, plan)));
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

/** Versions of the tools that are installed, of those that were asked for; the others are named and left out. */
function present(
  all: readonly Pick<Tool, 'name' | 'version'>[],
  names: readonly string[],
  log: (line: string) => void,
): Record<string, string> {
  const versions: Record<string, string> = {};
  for (const name of names) {
    const tool = all.find((it) => it.name === name);
    const version = tool && versionOf(tool);
    if (version === undefined) log(tool === undefined ? `there is no tool "${name}": left out` : `${name} is not installed: left out`);
    else versions[name] = version;
  }
  return versions;
}

const controller = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => controller.abort(new Error(`stopped by ${signal}`)));
try {
  process.exitCode = await main(process.argv.slice(2), controller.signal);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
