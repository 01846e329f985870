/** Several processes that serve the same sockets: the first one starts the others, replaces those that die, and passes on what it is told. */
import cluster, { type Worker } from 'node:cluster';
import { once } from 'node:events';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { ShardctlError } from '../../core/errors.ts';
import type { HashingTurn } from '../../serve/hashes/hashing.ts';
import type { Siblings } from '../../serve/status/siblings.ts';
import { HashingDesk, hashingTurns } from './hashing-desk.ts';
import { MetricsExchange, siblingsOf } from './worker-metrics.ts';

/** A worker that dies is replaced after a pause, unless as many have died within the last minute. */
const MOST_DEATHS = 5;
const DEATHS_MS = 60_000;
const PAUSE_MS = 500;

type ToWorker = { readonly do: 'stop' | 'reload' };
type FromWorker = { readonly is: 'ready'; readonly urls: readonly string[] };

export interface WorkersOptions {
  readonly count: number;
  /** Aborted when all are to stop. */
  readonly signal: AbortSignal;
  readonly onReady: (urls: readonly string[]) => void;
  readonly onReload: (reload: () => void) => void;
  readonly onDeath: (message: string) => void;
}

/**
 * Runs workers until they are to stop.
 * @returns the exit code of a worker that ended by itself before all were ready: it has said why
 * @throws ShardctlError `IO` when workers keep dying
 */
export async function superviseWorkers({ count, signal, onReady, onReload, onDeath }: WorkersOptions): Promise<number> {
  // Workers accept connections themselves: one that was handed to a worker which dies at that moment would never be answered or closed.
  cluster.schedulingPolicy = cluster.SCHED_NONE;
  // Each worker's exit would be an event of its own on stdout.
  cluster.setupPrimary({ args: process.argv.slice(2).filter((word) => word !== '--json') });
  const running = new Set<Worker>();
  const tell = (message: ToWorker) => {
    for (const worker of running) if (worker.isConnected()) worker.send(message);
  };
  const exchange = new MetricsExchange();
  const hashing = new HashingDesk();
  const failure = new AbortController();
  let deaths: number[] = [];
  let isStarted = false;
  let code = 0;
  const start = async (): Promise<readonly string[]> => {
    const worker = cluster.fork();
    running.add(worker);
    exchange.add(worker);
    hashing.add(worker);
    const urls = new Promise<readonly string[]>((resolve) => {
      worker.on('message', ({ is, urls }: FromWorker) => {
        if (is === 'ready') resolve(urls);
      });
    });
    worker.once('exit', (exitCode: number | null, killedBy: string | null) => {
      running.delete(worker);
      if (signal.aborted || failure.signal.aborted) return;
      if (!isStarted) {
        code = exitCode || 1;
        failure.abort();
        return;
      }
      const moment = performance.now();
      deaths = [...deaths.filter((at) => moment - at < DEATHS_MS), moment];
      onDeath(`worker ${worker.process.pid} has ended with ${killedBy ?? exitCode}`);
      if (deaths.length > MOST_DEATHS) failure.abort(new ShardctlError('IO', `${deaths.length} workers have died within a minute`));
      else setTimeout(() => isOver.aborted || void start(), PAUSE_MS);
    });
    return await urls;
  };
  const isOver = AbortSignal.any([signal, failure.signal]);
  const over = isOver.aborted ? Promise.resolve() : once(isOver, 'abort');
  onReload(() => tell({ do: 'reload' }));
  // The first one alone: what it cannot do, none can, and it is said once.
  const urls = await Promise.race([start(), over]);
  if (!isOver.aborted) await Promise.race([Promise.all(Array.from({ length: count - 1 }, start)), over]);
  if (!isOver.aborted) {
    isStarted = true;
    onReady(urls as readonly string[]);
    await over;
  }
  while (running.size > 0) {
    // Again and again: one that has just been started does not listen yet.
    tell({ do: 'stop' });
    await sleep(50);
  }
  if (failure.signal.reason instanceof ShardctlError) throw failure.signal.reason;
  return code;
}

/** What a worker is told, and tells. */
export interface Supervisor {
  /** Aborted when the worker is to stop. */
  readonly signal: AbortSignal;
  readonly onReload: (reload: () => void) => void;
  ready(urls: readonly string[]): void;
  /** The workers beside this one. */
  readonly siblings: Siblings;
  /** Waits until no other worker hashes files. */
  readonly hashingTurn: () => Promise<HashingTurn>;
}

/** The process that has started this one; undefined when nobody serves beside it. */
export function supervisor(): Supervisor | undefined {
  if (!cluster.isWorker) return undefined;
  const stop = new AbortController();
  let reload = () => {};
  process.on('message', (message: ToWorker) => {
    if (message.do === 'stop') stop.abort();
    else if (message.do === 'reload') reload();
  });
  return {
    signal: stop.signal,
    siblings: siblingsOf(),
    hashingTurn: hashingTurns(),
    onReload: (set) => {
      reload = set;
    },
    ready: (urls) => void process.send?.({ is: 'ready', urls } satisfies FromWorker),
  };
}
