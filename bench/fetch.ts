/** `npm run bench -- fetch`: a copy of a tree from other machines, made and brought up to date: shardctl beside the tools of today, by turns. */
import { mkdirSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { machineOf } from '../src/measure/machine.ts';
import { warm } from '../src/measure/mirror/census.ts';
import { writeBack } from '../src/measure/timed-run.ts';
import { present } from '../src/measure/tools.ts';
import { type Corpus, corpusOf } from './corpus.ts';
import { type Stage, startStage } from './fetch-stage.ts';
import { fetchTable } from './fetch-table.ts';
import { bytesIn, measureWithin, type Turn } from './fetch-turn.ts';
import { FETCHERS, type Fetcher, type TreeState } from './fetchers.ts';
import { save } from './report.ts';
import { measure } from './tools.ts';

interface Options {
  readonly rounds: number;
  /** Milliseconds there and back. */
  readonly distances: readonly number[];
  readonly phases: readonly string[];
  readonly limitSeconds: number;
  readonly dest: string;
  readonly log: (line: string) => void;
  readonly signal: AbortSignal;
}

export const FIRST = 'first copy';
export const UPDATE = '1 % update';

/** @returns the exit code */
export async function runFetch(args: readonly string[], log: (line: string) => void, signal: AbortSignal): Promise<number> {
  const string = (value: string) => ({ type: 'string', default: value }) as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: string('3'),
      corpora: string('small,images'),
      tools: string(FETCHERS.map(({ name }) => name).join(';')),
      phases: string('first,update'),
      distances: string('0,20'),
      limit: string('120'),
      dest: string('/dev/shm'),
      work: string(process.env.SHARDCTL_BENCH ?? join(homedir(), '.cache', 'shardctl-bench')),
      scale: string('1'),
    },
  });
  const versions = present(FETCHERS, values.tools.split(';'), log);
  const fetchers = FETCHERS.filter(({ name }) => versions[name] !== undefined);
  if (fetchers.length === 0) {
    log('nothing to measure');
    return 1;
  }
  mkdirSync(values.work, { recursive: true });
  const machine = machineOf(values.dest, process.version);
  const scale = Number(values.scale);
  const options: Options = {
    rounds: Number(values.rounds),
    distances: values.distances.split(',').map(Number),
    phases: values.phases.split(','),
    limitSeconds: Number(values.limit),
    dest: join(values.dest, `shardctl-bench-${process.pid}`),
    log,
    signal,
  };
  const corpora = values.corpora.split(',').map((name) => corpusOf(name, scale, values.work, log));
  const turns: Turn[] = [];
  for (const corpus of corpora) turns.push(...(await runCorpus(corpus, fetchers, options)));
  log(`${machine.cores} cores, Node ${machine.node}, copies on ${machine.destination}, load ${machine.load} at the start\n`);
  for (const corpus of corpora) console.log(`${fetchTable(corpus, turns)}\n`);
  // A scaled run is a trial of the bench itself: nothing to compare with later.
  if (scale === 1) {
    const facts = corpora.map(({ name, files, bytes }) => ({ name, files, bytes }));
    const report = { bench: 'fetch', time: new Date().toISOString(), machine, scale, corpora: facts, tools: versions, turns };
    log(`saved as bench/results/${save(report)}`);
  }
  return 0;
}

async function runCorpus(corpus: Corpus, fetchers: readonly Fetcher[], options: Options): Promise<Turn[]> {
  const { dest, rounds, distances, log, signal } = options;
  const turns: Turn[] = [];
  const stage = await startStage(corpus, { dest, log, signal, withKubo: fetchers.some(({ usesKubo }) => usesKubo === true) });
  try {
    await warm(join(stage.source, stage.before.folder), options.signal);
    // Those that were stopped would be stopped again.
    const stopped = new Set<string>();
    for (let round = 1; round <= rounds; round++) {
      for (const distance of distances) {
        for (const fetcher of fetchers) {
          const key = `${fetcher.name} ${distance}`;
          if (stopped.has(key) || (fetcher.isLocal === true && distance > 0)) continue;
          const its = await takeTurns(fetcher, stage, { corpus: corpus.name, tool: fetcher.name, distance, round }, options);
          turns.push(...its);
          if (its.some(({ wasStopped }) => wasStopped)) stopped.add(key);
        }
      }
    }
  } finally {
    await stage.stop();
    rmSync(dest, { recursive: true, force: true });
  }
  return turns;
}

/** A first copy, and then the update of it, as far as they were asked for and the tool can. */
async function takeTurns(fetcher: Fetcher, stage: Stage, of: Pick<Turn, 'corpus' | 'tool' | 'distance' | 'round'>, options: Options) {
  const { first, update } = fetcher;
  const { phases, limitSeconds, dest, log } = options;
  const out = join(dest, 'out');
  const turns: Turn[] = [];
  const take = async (phase: string, command: Fetcher['first'], state: TreeState) => {
    const far = await stage.at(of.distance);
    writeBack();
    const before = { cpu: stage.cpuSeconds(), received: far.received() };
    const cost = await measureWithin(limitSeconds, command(far.sources, state, out), options, () => bytesIn(out) / state.bytes);
    const received = of.distance === 0 ? undefined : far.received() - before.received;
    if (!cost.wasStopped) stage.assertEqual(state, out, of);
    const changedBytes = phase === UPDATE ? stage.changedBytes : state.bytes;
    turns.push({ ...of, phase, ...cost, serverSeconds: stage.cpuSeconds() - before.cpu, received, changedBytes });
    const stopped = cost.wasStopped ? `, stopped at ${(100 * cost.share).toFixed(1)} %` : '';
    log(`${of.corpus} round ${of.round}  ${of.tool}, ${of.distance} ms, ${phase}: ${cost.seconds.toFixed(2)} s${stopped}`);
    return cost;
  };
  try {
    const wantsUpdate = phases.includes('update') && update !== undefined;
    const isMade = phases.includes('first') && !(await take(FIRST, first, stage.before)).wasStopped;
    if (!wantsUpdate) return turns;
    if (!isMade) {
      const { sources } = await stage.at(0);
      rmSync(out, { recursive: true, force: true });
      await measure(first(sources, stage.before, out), join(dest, 'log'), options.signal);
    }
    await take(UPDATE, update, stage.after);
  } finally {
    rmSync(out, { recursive: true, force: true });
    await stage.forget(fetcher.name);
  }
  return turns;
}
