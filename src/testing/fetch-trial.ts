/** For trials of `fetch`: a mirror with an index, stored in a program's home, served, and copied. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { treeState } from './hard-tree.ts';
import { HostileGateway } from './hostile-gateway.ts';
import { truthAt } from './hostile-gateway-truth.ts';
import { type Finished, Program } from './program.ts';
import { ServeProcess } from './serve-process.ts';

/** Where `fetch` keeps its own files, in the root of a copy. */
export const OWN = '.shardctl-fetch';
const INDEX = 'SHA256SUMS';

/** Far longer than anything takes that ends by itself. */
const MOST_MS = 120_000;

export interface Bounded {
  readonly code: number | null;
  /** Of one that did not end by itself, or crashed. */
  readonly signal: NodeJS.Signals | null;
  readonly stderr: string;
  /** The most memory that was seen. */
  readonly peakBytes: number;
}

export class FetchTrial {
  readonly program = new Program();
  readonly source = this.program.path('mirror');
  readonly out = this.program.path('copy');
  #served: ServeProcess | undefined;
  /** In front of the server: counts what it sends, and lies when it is told to. */
  #gateway: HostileGateway | undefined;

  /** Stores what is in `source`, or what has changed there. */
  commit(...options: string[]): string {
    const isNew = !existsSync(this.program.home);
    this.program.succeeds(
      ...(isNew ? ['add', this.source, '--shard-size', '512KiB', ...options] : ['update', 'mirror', '--max-delete', 'none']),
      '--quiet',
    );
    return this.program.head('mirror').cid;
  }

  async serve(): Promise<void> {
    this.#served = await ServeProcess.start(this.program, '--listen', '127.0.0.1:0');
    this.#gateway = await HostileGateway.start({ truth: truthAt(this.#served.url) });
  }

  get gateway(): HostileGateway {
    assert.ok(this.#gateway, 'it is served');
    return this.#gateway;
  }

  /** The program runs beside the test, where the gateway is. */
  async fetch(...argv: string[]): Promise<Finished> {
    return await this.program.follow(() => {}, 'fetch', ...argv);
  }

  /** As `fetch`, of a program that may not end by itself. */
  async fetchBounded(...argv: string[]): Promise<Bounded> {
    const child = this.program.start('fetch', ...argv);
    let stderr = '';
    child.stdout?.resume();
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    let peakBytes = 0;
    const watch = setInterval(() => {
      peakBytes = Math.max(peakBytes, residentPeak(child.pid));
    }, 20);
    const kill = setTimeout(() => child.kill('SIGKILL'), MOST_MS);
    const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
    clearInterval(watch);
    clearTimeout(kill);
    return { code, signal, stderr, peakBytes };
  }

  /** Fetches a snapshot from the gateway. @returns bytes that the gateway has sent for it */
  async fetched(cid: string, ...options: string[]): Promise<number> {
    const before = this.gateway.sent;
    const { code, stderr } = await this.fetch(cid, this.out, '--via', this.gateway.url, '--special-bits', ...options);
    assert.equal(code, 0, stderr);
    return this.gateway.sent - before;
  }

  assertEqual(): void {
    assert.deepEqual(treeState(this.out, true, [OWN]), treeState(this.source));
  }

  async stop(): Promise<void> {
    await this.#gateway?.stop();
    await this.#served?.stop();
    this.program.dispose();
  }
}

/** Packages of this version, an index that names them, and nothing of the version before: rude to whoever has read the old index. */
export function publishMirror(root: string, version: number, packages: number): void {
  const pool = join(root, 'pool');
  mkdirSync(pool, { recursive: true });
  const old = readdirSync(pool);
  // Each fifth package has a new version, which has another name.
  const names = Array.from({ length: packages }, (_, i) => `pool/package-${i}_${version - ((version + 5 - (i % 5)) % 5)}.deb`);
  const lines = names.map((name) => {
    const path = join(root, name);
    if (!existsSync(path)) writeFileSync(path, contentOf(name));
    return `${digestOf(readFileSync(path))} ${name}\n`;
  });
  writeFileSync(join(root, INDEX), lines.join(''));
  const kept = new Set(names.map((name) => name.slice('pool/'.length)));
  for (const name of old) if (!kept.has(name)) rmSync(join(pool, name));
}

/** What the index names is there, and is what the index says. No index yet names nothing. */
export function assertIndexHolds(root: string): void {
  const index = join(root, INDEX);
  if (!existsSync(index)) return;
  for (const line of readFileSync(index, 'utf8').split('\n').slice(0, -1)) {
    const [digest = '', name = ''] = line.split(' ');
    assert.ok(existsSync(join(root, name)), `${name} is named, and is not there`);
    assert.equal(digestOf(readFileSync(join(root, name))), digest, name);
  }
}

/** From nothing to some hundred kilobytes; one of many is larger than a block. */
function contentOf(name: string): Buffer {
  const seed = createHash('sha256').update(name).digest();
  const size = seed[0] === 7 ? 2_500_000 : (seed.readUInt32LE(1) % 40_000) * (seed[5] === 9 ? 10 : 1);
  return Buffer.alloc(size, seed.toString('hex'));
}

function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** 0 when the process is gone. */
function residentPeak(pid: number | undefined): number {
  try {
    return 1024 * Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
  } catch {
    return 0;
  }
}
