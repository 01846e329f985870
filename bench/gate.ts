/** `npm run bench -- gate`: what the gate adds to an update of an archive of Debian packages of which 1 % is replaced. */
import { createHash } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import type { Cost } from '../src/measure/measure.ts';
import { middleOf } from '../src/measure/spread.ts';
import { measure, SHARDCTL } from './tools.ts';

const GATES = ['off', 'auto'] as const;
type GateName = (typeof GATES)[number];

/** Packages that are replaced in each round. */
const REPLACED = 0.01;
/** Longer than the clock's granularity: what is written just before a scan is read again by the next. */
const SETTLE_MS = 100;

/** @returns the exit code */
export async function runGate(args: readonly string[], log: (line: string) => void, signal: AbortSignal): Promise<number> {
  const string = (value: string) => ({ type: 'string', default: value }) as const;
  const { values } = parseArgs({ args: [...args], options: { rounds: string('5'), dest: string('/dev/shm'), packages: string('5000') } });
  const dest = join(values.dest, `shardctl-bench-${process.pid}`);
  const archive = new Archive(join(dest, 'archive'), Number(values.packages));
  const costs: Record<GateName, Cost[]> = { off: [], auto: [] };
  const run = async (gate: GateName, command: readonly string[]) =>
    await measure(
      { argv: [process.execPath, SHARDCTL, ...command, '--gate', gate, '--home', join(dest, gate), '--quiet'] },
      join(dest, 'log'),
      signal,
    );
  try {
    archive.publish(1);
    for (const gate of GATES) await run(gate, ['add', archive.dir, '--name', 'bench']);
    for (let round = 1; round <= Number(values.rounds); round++) {
      archive.publish(round + 1);
      await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
      // Who comes first changes, because the first one finds files that nobody has read yet.
      for (const gate of round % 2 === 0 ? GATES : [...GATES].reverse()) {
        const cost = await run(gate, ['update', 'bench']);
        costs[gate].push(cost);
        log(`round ${round}  --gate ${gate}: ${cost.seconds.toFixed(2)} s, processor ${cpuOf(cost).toFixed(2)} s`);
      }
    }
  } finally {
    rmSync(dest, { recursive: true, force: true });
  }
  console.log('| --gate | median s | least s | processor, median s | least s |\n|---|---|---|---|---|');
  for (const gate of GATES) {
    const [wall, cpu] = [costs[gate].map(({ seconds }) => seconds), costs[gate].map(cpuOf)];
    console.log(
      `| ${gate} | ${[middleOf(wall), Math.min(...wall), middleOf(cpu), Math.min(...cpu)].map((it) => it?.toFixed(2)).join(' | ')} |`,
    );
  }
  const ratio = (of: (cost: Cost) => number) => middleOf(costs.auto.map((cost, i) => of(cost) / of(costs.off[i] as Cost)))?.toFixed(3);
  console.log(`\nauto to off, median of the rounds: ${ratio(({ seconds }) => seconds)} of the time, ${ratio(cpuOf)} of the processor time`);
  return 0;
}

/** Packages of 8 to 40 KiB with one index, as a mirror has them. */
class Archive {
  readonly dir: string;
  readonly #packages: number;
  readonly #stanzas: string[] = [];
  readonly #paths: string[] = [];

  constructor(dir: string, packages: number) {
    this.dir = dir;
    this.#packages = packages;
  }

  /** The first version has all packages; each later one replaces some. */
  publish(version: number): void {
    const step = Math.round(1 / REPLACED);
    for (let i = 0; i < this.#packages; i++) if (version === 1 || i % step === version % step) this.#replace(i, version);
    const index = gzipSync(this.#stanzas.join('\n'));
    this.#put('dists/stable/main/binary-amd64/Packages.gz', index);
    this.#put(
      'dists/stable/Release',
      Buffer.from(`Suite: stable\nSHA256:\n ${hexOf(index)} ${index.length} main/binary-amd64/Packages.gz\n`),
    );
  }

  #replace(i: number, version: number): void {
    const old = this.#paths[i];
    if (old !== undefined) rmSync(join(this.dir, old));
    const path = `pool/main/${i % 200}/p${i}/p${i}_${version}_amd64.deb`;
    const bytes = contentOf(i, version);
    this.#put(path, bytes);
    this.#paths[i] = path;
    this.#stanzas[i] =
      `Package: p${i}\nVersion: ${version}\nArchitecture: amd64\nMaintainer: Somebody <somebody@example.org>\nDescription: package ${i}\n` +
      `Filename: ${path}\nSize: ${bytes.length}\nSHA256: ${hexOf(bytes)}\n`;
  }

  #put(path: string, bytes: Buffer): void {
    const at = join(this.dir, path);
    mkdirSync(dirname(at), { recursive: true });
    writeFileSync(at, bytes);
  }
}

function contentOf(i: number, version: number): Buffer {
  const block = createHash('shake256', { outputLength: 8192 * (1 + (i % 5)) });
  return block.update(`${i} ${version}`).digest();
}

function hexOf(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function cpuOf({ userSeconds, systemSeconds }: Cost): number {
  return userSeconds + systemSeconds;
}
