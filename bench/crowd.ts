/** `npm run bench -- crowd`: what others notice of thousands of clients who come at once, ask for a large file each, and take a byte a second. */
import { spawn } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, get } from 'node:http';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { machineOf } from '../src/measure/machine.ts';
import { cpuSeconds, peakBytes, resetPeaks, treeOf } from '../src/measure/process-tree.ts';
import { present } from '../src/measure/tools.ts';
import { save } from './report.ts';
import { REPOSITORY, type Running, type Store, serversOf } from './servers.ts';
import { measure, SHARDCTL } from './tools.ts';

const MIB = 1024 * 1024;
/** How often somebody else comes, on a new connection, for a small file. */
const PROBE_MS = 50;
const SMALL_BYTES = 10_000;
/** Before the crowd comes. */
const QUIET_SECONDS = 3;
const WARM_UP_REQUESTS = 300;

/** Ways to ask for the large file. */
const WAYS = ['path', 'ipfs'] as const;
type Way = (typeof WAYS)[number];

interface Waits {
  readonly requests: number;
  readonly medianMs: number;
  readonly p99Ms: number;
  readonly worstMs: number;
  /** The most that the main thread of the server ran during one of them: what it would be at best if nobody else used the machine. */
  readonly worstRunMs: number;
}

interface Turn {
  readonly way: Way;
  readonly tool: string;
  readonly round: number;
  /** Before the crowd has come, and from then on. */
  readonly alone: Waits;
  readonly crowded: Waits;
  /** Readers that had a first byte, and those that were still connected, at the end. */
  readonly begun: number;
  readonly connected: number;
  readonly cpuSeconds: number;
  readonly peakBytes: number;
}

/** @returns the exit code */
export async function runCrowd(args: readonly string[], log: (line: string) => void, signal: AbortSignal): Promise<number> {
  const string = (value: string) => ({ type: 'string', default: value }) as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: string('3'),
      readers: string('2000'),
      seconds: string('20'),
      mib: string('200'),
      ways: string(WAYS.join(',')),
      tools: string('shardctl serve'),
      dest: string('/dev/shm'),
    },
  });
  const all = serversOf([1]);
  const versions = present(all, values.tools.split(','), log);
  const servers = all.filter(({ name }) => versions[name] !== undefined);
  const ways = WAYS.filter((way) => values.ways.split(',').includes(way));
  const [readers, seconds] = [Number(values.readers), Number(values.seconds)];
  const machine = machineOf(values.dest, process.version);
  const dest = join(values.dest, `shardctl-bench-${process.pid}`);
  const turns: Turn[] = [];
  try {
    const store = await prepare(dest, Number(values.mib) * MIB, signal);
    for (let round = 1; round <= Number(values.rounds); round++) {
      for (const way of ways) {
        for (const { name, start } of servers) {
          // nginx has no other way.
          if (way === 'ipfs' && name.startsWith('nginx')) continue;
          // Anew for each turn: what one crowd has left behind would be counted with the next.
          const running = await start(store, signal);
          try {
            const turn = { way, tool: name, round, ...(await takeTurn(running, store, way, { readers, seconds })) };
            turns.push(turn);
            log(`${way} round ${round}  ${name}: worst ${turn.crowded.worstMs.toFixed(0)} ms, peak ${Math.round(turn.peakBytes / 1e6)} MB`);
          } finally {
            await running.stop();
          }
        }
      }
    }
  } finally {
    rmSync(dest, { recursive: true, force: true });
  }
  log(`${machine.cores} cores, Node ${machine.node}, load ${machine.load} at the start; ${readers} readers\n`);
  console.log(tableOf(turns));
  const report = {
    bench: 'crowd',
    time: new Date().toISOString(),
    machine,
    scale: 1,
    corpora: [],
    tools: versions,
    readers,
    turns,
    runs: [],
  };
  log(`saved as bench/results/${save(report)}`);
  return 0;
}

/** A large file and a small one, and a home that has them. */
async function prepare(dest: string, bytes: number, signal: AbortSignal): Promise<Store & { readonly large: string }> {
  const [source, home, scratch] = ['source', 'home', 'scratch'].map((name) => join(dest, name)) as [string, string, string];
  for (const dir of [source, scratch]) mkdirSync(dir, { recursive: true });
  const piece = Buffer.alloc(bytes);
  // A call fills no more than 2 GiB.
  for (let at = 0; at < bytes; at += 64 * MIB) randomFillSync(piece, at, Math.min(64 * MIB, bytes - at));
  writeFileSync(join(source, 'large'), piece);
  writeFileSync(join(source, 'small'), piece.subarray(0, SMALL_BYTES));
  const said = async (file: string, ...args: string[]) => {
    const path = join(scratch, file);
    await measure({ argv: [process.execPath, SHARDCTL, ...args, '--home', home] }, path, signal);
    return readFileSync(path, 'utf8');
  };
  const tree = (await said('add.log', 'add', source, '--name', REPOSITORY, '--quiet', '--root-only')).trim();
  const large = /\b(baf\w+) large$/m.exec(await said('ls.log', 'ls', '-l', REPOSITORY))?.[1];
  if (large === undefined) throw new Error('the large file has no CID');
  return { source, home, tree, scratch, large };
}

async function takeTurn(
  { pid, url }: Running,
  { large }: { readonly large: string },
  way: Way,
  { readers, seconds }: { readonly readers: number; readonly seconds: number },
): Promise<Omit<Turn, 'way' | 'tool' | 'round'>> {
  const small = `${url}/small`;
  for (let request = 0; request < WARM_UP_REQUESTS; request++) await waitFor(small);
  const alone = await probe(small, QUIET_SECONDS, pid);
  const tree = treeOf(pid);
  resetPeaks(tree);
  const before = cpuSeconds(tree);
  const target = way === 'path' ? `${url}/large` : new URL(`/ipfs/${large}`, url).href;
  const crowd = spawn(process.execPath, [join(import.meta.dirname, 'slow-readers.js'), target, String(readers)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let [begun, connected] = [0, 0];
  createInterface({ input: crowd.stdout }).on('line', (line) => {
    [begun, connected] = line.split(' ').map(Number) as [number, number];
  });
  try {
    const crowded = await probe(small, seconds, pid);
    return { alone, crowded, begun, connected, cpuSeconds: cpuSeconds(tree) - before, peakBytes: peakBytes(tree) };
  } finally {
    crowd.kill('SIGKILL');
  }
}

/** Asks again and again, whether the answers before have come or not: who waits must not keep others from coming. */
async function probe(url: string, seconds: number, pid: number): Promise<Waits> {
  const waits: Promise<{ readonly ms: number; readonly runMs: number }>[] = [];
  const end = performance.now() + seconds * 1000;
  while (performance.now() < end) {
    const before = mainThreadMs(pid);
    const wait = waitFor(url).then((ms) => ({ ms, runMs: mainThreadMs(pid) - before }));
    // One that fails is told of at the end, when somebody waits for it.
    wait.catch(() => {});
    waits.push(wait);
    await sleep(PROBE_MS);
  }
  const all = await Promise.all(waits);
  const sorted = all.map(({ ms }) => ms).sort((a, b) => a - b);
  const at = (part: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] as number;
  return {
    requests: sorted.length,
    medianMs: at(0.5),
    p99Ms: at(0.99),
    worstMs: sorted.at(-1) as number,
    worstRunMs: Math.max(...all.map(({ runMs }) => runMs)),
  };
}

/** How long the main thread of a process has run so far. */
function mainThreadMs(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'utf8').split(' ')[0]) / 1e6;
}

/** On a new connection, to the end of the answer. @returns milliseconds */
async function waitFor(url: string): Promise<number> {
  const begin = performance.now();
  await new Promise<void>((resolve, reject) => {
    get(url, { agent: new Agent({ keepAlive: false }) }, (response) => {
      if (response.statusCode !== 200) reject(new Error(`${url}: ${response.statusCode}`));
      response.resume().once('end', resolve).once('error', reject);
    }).once('error', reject);
  });
  return performance.now() - begin;
}

function tableOf(turns: readonly Turn[]): string {
  const lines = turns.map(({ way, tool, round, alone, crowded, begun, connected, cpuSeconds: cpu, peakBytes: peak }) => {
    const waits = [alone, crowded].flatMap(({ medianMs, p99Ms, worstMs, worstRunMs }) =>
      [medianMs, p99Ms, worstMs, worstRunMs].map((ms) => ms.toFixed(1)),
    );
    return `| ${[way, tool, round, ...waits, `${begun}, ${connected}`, cpu.toFixed(1), (peak / 1e6).toFixed(0)].join(' | ')} |`;
  });
  const head =
    '| way | server | turn | alone: median, ms | p99 | worst | of it server | crowded: median, ms | p99 | worst | of it server | begun, connected | CPU s | peak MB |';
  return [head, `|${'---|'.repeat(14)}`, ...lines].join('\n');
}
