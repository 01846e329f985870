/** `npm run bench -- add|update|memory|peers|slow|get|blocks|serve|crowd|fetch`: measures shardctl against the tools of today. bench/README.md tells how to read it. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { machineOf } from '../src/measure/machine.ts';
import { warm } from '../src/measure/mirror/census.ts';
import { type AnyReport, pageOf } from '../src/measure/page/page.ts';
import type { Run } from '../src/measure/report.ts';
import { present, type Tool } from '../src/measure/tools.ts';
import { runBlocks } from './blocks.ts';
import { CONTESTANTS, type Contestant, SLOWED } from './contestants.ts';
import { type Corpus, corpusOf } from './corpus.ts';
import { runCrowd } from './crowd.ts';
import { runFetch } from './fetch.ts';
import { runGate } from './gate.ts';
import { GETTERS, runGets } from './get.ts';
import { runPeers, type TurnPlan } from './peers.ts';
import { type RoundsReport, save, tableOf } from './report.ts';
import { runRounds } from './rounds.ts';
import { runServe } from './serve.ts';
import { runTold } from './told.ts';
import { TOOLS } from './tools.ts';
import { runUpdates, type Stored } from './update.ts';

interface Options {
  readonly work: string;
  readonly delayMs: number;
}

interface Bench {
  /** All that may take part. */
  readonly of: readonly Pick<Tool, 'name' | 'version'>[];
  /** Those that do when nothing else is asked for. [all] */
  readonly tools?: string;
  readonly corpora: string;
  readonly rounds: string;
  readonly run: (corpus: Corpus, names: readonly string[], plan: TurnPlan, options: Options) => Promise<Results>;
}

interface Results {
  readonly runs: readonly Run[];
  readonly stored?: readonly Stored[];
}

const those = <T extends { readonly name: string }>(all: readonly T[], names: readonly string[]) =>
  all.filter(({ name }) => names.includes(name));

const onTools =
  (again: boolean): Bench['run'] =>
  async (corpus, names, plan) => ({ runs: await runRounds(corpus, { ...plan, tools: those(TOOLS, names), again }) });

const onPeers =
  (contestants: readonly Contestant[]): Bench['run'] =>
  async (corpus, names, plan) => ({ runs: await runPeers(corpus, those(contestants, names), plan) });

const BENCHES: Readonly<Record<string, Bench>> = {
  add: { of: TOOLS, corpora: 'small,large', rounds: '3', run: onTools(true) },
  update: {
    of: TOOLS,
    tools: 'shardctl,restic,rsync',
    corpora: 'small,tiny1m,wide',
    rounds: '3',
    run: (corpus, names, plan, { work }) => runUpdates(corpus, { ...plan, tools: those(TOOLS, names), again: false }, work),
  },
  memory: { of: TOOLS, tools: 'shardctl', corpora: 'tiny100k,tiny1m', rounds: '1', run: onTools(false) },
  peers: { of: CONTESTANTS, corpora: 'small,large', rounds: '3', run: onPeers(CONTESTANTS) },
  slow: { of: SLOWED, corpora: 'small10k,small', rounds: '1', run: onPeers(SLOWED) },
  get: {
    of: GETTERS,
    corpora: 'small,large',
    rounds: '3',
    run: async (corpus, names, plan, { delayMs }) => ({ runs: await runGets(corpus, those(GETTERS, names), delayMs, plan) }),
  },
};

const USAGE = `usage: npm run bench -- ${Object.keys(BENCHES).join('|')} [--rounds N] [--corpora a,b] [--tools a,b] [--dest DIR] [--work DIR] [--scale X] [--delay MS]
       npm run bench -- gate [--rounds N] [--packages N] [--dest DIR]
       npm run bench -- told [--rounds N] [--corpora a,b] [--dest DIR] [--work DIR] [--scale X]
       npm run bench -- page RESULT.json PAGE.html
       npm run bench -- blocks [--count N] [--dest DIR]
       npm run bench -- serve [--rounds N] [--seconds N] [--workers N,M] [--tools a,b] [--phases a,b] [--dest DIR] [--work DIR] [--scale X]
       npm run bench -- crowd [--rounds N] [--readers N] [--seconds N] [--mib N] [--ways path,ipfs] [--tools a,b] [--dest DIR]
       npm run bench -- fetch [--rounds N] [--corpora a,b] [--tools "a;b"] [--phases first,update] [--distances MS,MS] [--limit SECONDS] [--dest DIR] [--work DIR] [--scale X]`;

/** What a saved result looks like. */
function writePage([from, to]: readonly string[]): number {
  if (from === undefined || to === undefined) {
    console.error(USAGE);
    return 2;
  }
  writeFileSync(to, pageOf(JSON.parse(readFileSync(from, 'utf8')) as AnyReport));
  return 0;
}

/** @returns the exit code */
async function main(args: readonly string[], signal: AbortSignal): Promise<number> {
  const [name, ...rest] = args;
  const log = (line: string) => console.error(line);
  if (name === 'blocks') return runBlocks(rest, log);
  if (name === 'serve') return await runServe(rest, log, signal);
  if (name === 'crowd') return await runCrowd(rest, log, signal);
  if (name === 'fetch') return await runFetch(rest, log, signal);
  if (name === 'told') return await runTold(rest, log, signal);
  if (name === 'page') return writePage(rest);
  if (name === 'gate') return await runGate(rest, log, signal);
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
      tools: string(bench.tools ?? bench.of.map((tool) => tool.name).join(',')),
      dest: string('/dev/shm'),
      work: string(process.env.SHARDCTL_BENCH ?? join(homedir(), '.cache', 'shardctl-bench')),
      scale: string('1'),
      delay: string('0'),
    },
  });
  const scale = Number(values.scale);
  const versions = present(bench.of, values.tools.split(','), log);
  const names = Object.keys(versions);
  if (names.length === 0) {
    log('nothing to measure');
    return 1;
  }
  mkdirSync(values.work, { recursive: true });
  const corpora = values.corpora.split(',').map((corpus) => corpusOf(corpus, scale, values.work, log));
  const machine = machineOf(values.dest, process.version);
  const plan = {
    rounds: Number(values.rounds),
    dest: join(values.dest, `shardctl-bench-${process.pid}`),
    log,
    signal,
  };
  const results: Results[] = [];
  for (const corpus of corpora) {
    await warm(corpus.dir, signal);
    results.push(await bench.run(corpus, names, plan, { work: values.work, delayMs: Number(values.delay) }));
  }
  const stored = results.flatMap((result) => result.stored ?? []);
  const report: RoundsReport = {
    bench: values.delay === '0' ? name : `${name}-${2 * Number(values.delay)}ms`,
    time: new Date().toISOString(),
    machine,
    scale,
    corpora: corpora.map(({ name, files, bytes }: Corpus) => ({ name, files, bytes })),
    tools: versions,
    runs: results.flatMap(({ runs }) => runs),
    ...(stored.length > 0 ? { stored } : {}),
  };
  console.log(tableOf(report));
  // A scaled run is a trial of the bench itself: nothing to compare with later.
  if (scale === 1) log(`\nsaved as bench/results/${save(report)}`);
  return 0;
}

const controller = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => controller.abort(new Error(`stopped by ${signal}`)));
try {
  process.exitCode = await main(process.argv.slice(2), controller.signal);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
