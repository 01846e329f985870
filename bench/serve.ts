/** `npm run bench -- serve`: the files of a mirror by HTTP, from `shardctl serve`, nginx and the gateway of Kubo, by turns. */
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { machineOf } from '../src/measure/machine.ts';
import { cpuSeconds, peakBytes, resetPeaks, treeOf } from '../src/measure/process-tree.ts';
import { middleOf } from '../src/measure/spread.ts';
import { present, versionOf } from '../src/measure/tools.ts';
import { type Corpus, corpusOf } from './corpus.ts';
import { CURL, type Load, loadByCurl, loadByWrk, WRK } from './load.ts';
import { markdown, save } from './report.ts';
import { REPOSITORY, type Running, type Server, type Store, serversOf } from './servers.ts';
import { measure, SHARDCTL } from './tools.ts';

/** One way of asking. */
interface Phase {
  readonly name: string;
  readonly about: string;
  readonly corpus: 'served' | 'large';
  /** Of all files of the tree, in an order that is the same in every run. */
  readonly paths: (all: readonly string[]) => readonly string[];
  readonly client: 'wrk' | 'curl';
}

/** A cache of 64 MB of bodies holds them all. */
const HOT_FILES = 2000;
/** Of each phase, before anything is measured. */
const WARM_UP_SECONDS = 8;
/** How often each large file is read in one turn. */
const PASSES = 2;

const PHASES: readonly Phase[] = [
  {
    name: 'page cache',
    about: 'all files in turn: more than a cache of bodies holds',
    corpus: 'served',
    paths: (all) => all,
    client: 'wrk',
  },
  { name: 'hot', about: 'the same few files again and again', corpus: 'served', paths: (all) => all.slice(0, HOT_FILES), client: 'wrk' },
  { name: 'large', about: 'four downloads at once', corpus: 'large', paths: (all) => Array(PASSES).fill(all).flat(), client: 'curl' },
];

interface Turn extends Load {
  readonly phase: string;
  readonly tool: string;
  readonly round: number;
  /** Of all processes of the server. */
  readonly cpuSeconds: number;
  readonly peakBytes: number;
}

interface Options {
  readonly rounds: number;
  readonly seconds: number;
  readonly dest: string;
  readonly log: (line: string) => void;
  readonly signal: AbortSignal;
}

/** @returns the exit code */
export async function runServe(args: readonly string[], log: (line: string) => void, signal: AbortSignal): Promise<number> {
  const string = (value: string) => ({ type: 'string', default: value }) as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: string('5'),
      seconds: string('5'),
      workers: string('1'),
      tools: { type: 'string' },
      phases: string(PHASES.map(({ name }) => name).join(',')),
      dest: string('/dev/shm'),
      work: string(process.env.SHARDCTL_BENCH ?? join(homedir(), '.cache', 'shardctl-bench')),
      scale: string('1'),
    },
  });
  const all = serversOf(values.workers.split(',').map(Number));
  const versions = present(all, values.tools?.split(',') ?? all.map(({ name }) => name), log);
  const servers = all.filter(({ name }) => versions[name] !== undefined);
  const clients = { wrk: versionOf({ version: WRK }), curl: versionOf({ version: CURL }) };
  for (const [name, version] of Object.entries(clients)) {
    if (version === undefined) log(`${name} is not installed: what it would measure is left out`);
  }
  const phases = PHASES.filter(({ name, client }) => values.phases.split(',').includes(name) && clients[client] !== undefined);
  if (servers.length === 0 || phases.length === 0) {
    log('nothing to measure');
    return 1;
  }
  mkdirSync(values.work, { recursive: true });
  const machine = machineOf(values.dest, process.version);
  const scale = Number(values.scale);
  const options = {
    rounds: Number(values.rounds),
    seconds: Number(values.seconds),
    dest: join(values.dest, `shardctl-bench-${process.pid}`),
    log,
    signal,
  };
  const corpora: Corpus[] = [];
  const turns: Turn[] = [];
  for (const name of new Set(phases.map(({ corpus }) => corpus))) {
    const corpus = corpusOf(name, scale, values.work, log);
    corpora.push(corpus);
    const its = phases.filter((phase) => phase.corpus === name);
    turns.push(...(await runCorpus(corpus, its, servers, options)));
  }
  log(`${machine.cores} cores, Node ${machine.node}, stores on ${machine.destination}, load ${machine.load} at the start\n`);
  for (const phase of phases) console.log(`${tableOf(phase, corpora, turns)}\n`);
  const report = { bench: 'serve', time: new Date().toISOString(), machine, scale, corpora, tools: versions, clients, turns };
  // A scaled run is a trial of the bench itself: nothing to compare with later.
  if (scale === 1)
    log(`saved as bench/results/${save({ ...report, corpora: corpora.map(({ dir: _, ...facts }) => facts) } as typeof report)}`);
  return 0;
}

async function runCorpus(corpus: Corpus, phases: readonly Phase[], servers: readonly Server[], options: Options): Promise<Turn[]> {
  const { dest, rounds, log, signal } = options;
  const turns: Turn[] = [];
  const running = new Map<string, Running>();
  try {
    const store = await prepare(corpus, dest, signal);
    const files = shuffled(filesBelow(store.source).sort());
    for (const { name, start } of servers) {
      running.set(name, await start(store, signal));
      await check(name, running.get(name) as Running, store, files);
      log(`${corpus.name}: ${name} gives the right bytes`);
    }
    // Servers run for months. In the first ten seconds under load V8 is still compiling: 38 µs of processor time a hot request, then 24.
    for (const phase of phases.filter(({ client }) => client === 'wrk')) {
      for (const [tool, server] of running) {
        log(`${corpus.name}: ${tool} warms up, ${phase.name}`);
        await takeTurn(phase, corpus, server, files, { ...options, seconds: WARM_UP_SECONDS });
      }
    }
    for (let round = 1; round <= rounds; round++) {
      for (const phase of phases) {
        for (const [tool, server] of running) {
          const turn = { phase: phase.name, tool, round, ...(await takeTurn(phase, corpus, server, files, options)) };
          turns.push(turn);
          log(`${phase.name} round ${round}  ${tool}: ${rates(turn)}`);
        }
      }
    }
  } finally {
    for (const server of running.values()) await server.stop();
    rmSync(dest, { recursive: true, force: true });
  }
  return turns;
}

/** The files, and a home that has them, on the same file system. */
async function prepare(corpus: Corpus, dest: string, signal: AbortSignal): Promise<Store> {
  const [source, home, scratch] = ['source', 'home', 'scratch'].map((name) => join(dest, name)) as [string, string, string];
  mkdirSync(scratch, { recursive: true });
  cpSync(corpus.dir, source, { recursive: true, preserveTimestamps: true });
  const log = join(scratch, 'add.log');
  const argv = [process.execPath, SHARDCTL, 'add', source, '--name', REPOSITORY, '--home', home, '--quiet', '--root-only'] as const;
  await measure({ argv }, log, signal);
  return { source, home, tree: readFileSync(log, 'utf8').trim(), scratch };
}

/** Only the right bytes count. Kubo would take minutes for all files, so it gives one of twenty. */
async function check(name: string, { url }: Running, { source }: Store, files: readonly string[]): Promise<void> {
  const some = name.startsWith('Kubo') && files.length > 100 ? files.filter((_, i) => i % 20 === 0) : files;
  for (const path of some) {
    const response = await fetch(`${url}/${path}`);
    const right = readFileSync(join(source, path));
    if (response.status !== 200 || !right.equals(new Uint8Array(await response.arrayBuffer()))) {
      throw new Error(`${name}: not the right bytes for ${path} (status ${response.status})`);
    }
  }
}

async function takeTurn(phase: Phase, corpus: Corpus, { pid, url }: Running, files: readonly string[], options: Options) {
  const urls = phase.paths(files).map((path) => `${url}/${path}`);
  const tree = treeOf(pid);
  resetPeaks(tree);
  const before = cpuSeconds(tree);
  const load =
    phase.client === 'wrk'
      ? await loadByWrk(urls, options.seconds, join(options.dest, 'scratch', 'wrk'), options.signal)
      : await loadByCurl(urls, PASSES * corpus.bytes, options.signal);
  return { ...load, cpuSeconds: cpuSeconds(tree) - before, peakBytes: peakBytes(tree) };
}

/** A server that reads ahead, or keeps the last directory, gains nothing that it would not gain from the requests of many clients. */
function shuffled(paths: readonly string[]): string[] {
  const STRIDE = 7919; // a prime, so that all are met
  return paths.length % STRIDE === 0 ? [...paths] : paths.map((_, i) => paths[(i * STRIDE) % paths.length] as string);
}

function filesBelow(dir: string, below = ''): string[] {
  return readdirSync(join(dir, below), { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? filesBelow(dir, join(below, entry.name)) : [join(below, entry.name)],
  );
}

function rates({ requests, seconds, bytes, cpuSeconds: cpu }: Turn): string {
  const perRequest = ((cpu / requests) * 1e6).toFixed(0);
  return `${Math.round(requests / seconds)} requests/s, ${Math.round(bytes / 1e6 / seconds)} MB/s, ${perRequest} µs of processor time each`;
}

/** A line for each server, the first one as the measure of the others. */
function tableOf({ name, about, corpus }: Phase, corpora: readonly Corpus[], turns: readonly Turn[]): string {
  const its = turns.filter((turn) => turn.phase === name);
  const tools = [...new Set(its.map(({ tool }) => tool))];
  const of = (tool: string, value: (turn: Turn) => number) => its.filter((turn) => turn.tool === tool).map(value);
  const median = (tool: string, value: (turn: Turn) => number) => middleOf(of(tool, value)) as number;
  const speed = ({ requests, seconds }: Turn) => requests / seconds;
  /** Turns of one round were close together, so that what else the machine did met them alike. */
  const first = of(tools[0] as string, speed);
  const ratio = (tool: string) => middleOf(of(tool, speed).map((value, round) => value / (first[round] as number))) as number;
  const rows = tools.map((tool) => {
    const all = of(tool, speed);
    const p99 = middleOf(its.filter((turn) => turn.tool === tool).flatMap(({ p99Ms }) => p99Ms ?? []));
    return [
      tool,
      `${rounded(median(tool, speed))} (${rounded(Math.min(...all))}–${rounded(Math.max(...all))})`,
      `${ratio(tool).toFixed(3)} ×`,
      rounded(median(tool, ({ bytes, seconds }) => bytes / 1e6 / seconds)),
      rounded(median(tool, ({ cpuSeconds: cpu, requests }) => (cpu / requests) * 1e6)),
      p99?.toFixed(1) ?? '',
      rounded(median(tool, (turn) => turn.peakBytes) / 1e6),
    ];
  });
  const head = [`${name}: ${about}`, 'requests/s, median (range)', `of ${tools[0]}`, 'MB/s', 'CPU µs a request', 'p99, ms', 'peak MB'];
  return markdown(corpora.find((it) => it.name === corpus) as Corpus, head, rows);
}

function rounded(value: number): string {
  return value < 100 ? value.toFixed(1) : Math.round(value).toLocaleString('en');
}
