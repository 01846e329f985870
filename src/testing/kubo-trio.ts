/** Three Kubo daemons as peers of a home, each behind a proxy that can fail, and a mirror of a dozen shards. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FaultProxy } from './fault-proxy.ts';
import { KuboDaemon } from './kubo.ts';
import { type Finished, Program } from './program.ts';
import { makeBlocks } from './shards.ts';
import { writeTree } from './tree.ts';

export const IMPORT = '/api/v0/dag/import';
const NAMES = ['a', 'b', 'c'] as const;
/** A package fills a shard of its own. */
const SHARDS = 12;
const SHARD_BYTES = 512 * 1024;

export interface TrioPeer {
  readonly name: string;
  readonly daemon: KuboDaemon;
  readonly proxy: FaultProxy;
}

export interface Line {
  readonly type: string;
  readonly [field: string]: unknown;
}

export class KuboTrio {
  readonly program = new Program();
  readonly peers: readonly [TrioPeer, TrioPeer, TrioPeer];
  readonly source: string;
  readonly #dir: string;

  /** @param settings of the daemons, by name */
  static async start(settings: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {}): Promise<KuboTrio> {
    const dir = mkdtempSync(join(tmpdir(), 'shardctl-trio-'));
    const peers = await Promise.all(
      NAMES.map(async (name) => {
        const daemon = await KuboDaemon.start(join(dir, name), settings[name]);
        return { name, daemon, proxy: await FaultProxy.start(daemon.url) };
      }),
    );
    const trio = new KuboTrio(dir, peers as unknown as readonly [TrioPeer, TrioPeer, TrioPeer]);
    for (const { name, proxy } of peers) {
      const { code, stderr } = await trio.run('peers', 'add', 'kubo', proxy.url, '--name', name);
      if (code !== 0) throw new Error(stderr);
    }
    return trio;
  }

  private constructor(dir: string, peers: readonly [TrioPeer, TrioPeer, TrioPeer]) {
    this.#dir = dir;
    this.peers = peers;
    const packages = makeBlocks(SHARDS, 8).map((seed, i) => [`package-${i}`, Buffer.alloc(SHARD_BYTES, seed)]);
    this.source = writeTree(join(dir, 'mirror'), Object.fromEntries(packages));
  }

  async stop(): Promise<void> {
    await Promise.all(this.peers.map(({ daemon }) => daemon.stop('SIGKILL')));
    for (const { proxy } of this.peers) await proxy.stop();
    this.program.dispose();
    rmSync(this.#dir, { recursive: true, force: true });
  }

  /** The proxies are in this process: nothing may block it. */
  run(...argv: string[]): Promise<Finished> {
    return this.program.follow(() => {}, ...argv);
  }

  /** Adds the mirror with two replicas of each shard. @param onPlaced told how many shards are placed, each time */
  add(onPlaced: (count: number) => void = () => {}, ...options: string[]): Promise<Finished> {
    let placed = 0;
    const watch = (line: string) => {
      if ((JSON.parse(line) as Line).type === 'placed') onPlaced(++placed);
    };
    const argv = ['add', this.source, '--replication', '2', '--shard-size', '512KiB', '--json', ...options];
    return this.program.follow(watch, ...argv);
  }

  /** How many shards each peer took. */
  taken(): number[] {
    return this.peers.map(({ proxy }) => proxy.taken.length);
  }
}

/** What was said of the run: warnings and the error at its end. */
export function saidBy({ lines, stderr }: Finished): string {
  const events = lines.map((line) => JSON.parse(line) as Line);
  return [...events.filter(({ type }) => type === 'warning').map(({ message }) => String(message)), stderr].join('\n');
}
