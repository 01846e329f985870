/** For tests of the status page and the metrics: a home of which every figure can be chosen, served by its status routes alone. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type FastifyInstance, fastify } from 'fastify';
import type { Metric, ShardRecord, SnapshotRecord } from '../core/model.ts';
import { cidText } from '../dag/cid.ts';
import type { RunningRun } from '../home/runs/running.ts';
import type { Peer } from '../peer/peer.ts';
import type { Access, Asker } from '../serve/access/access.ts';
import type { Mirror, MirrorView, ServedRepository } from '../serve/mirror.ts';
import { ServeMetrics } from '../serve/status/serve-metrics.ts';
import { statusRoutes } from '../serve/status/status-routes.ts';
import type { Demand } from '../storing/demand.ts';
import { MemoryBlocks } from './memory-blocks.ts';
import { type TreeSpec, writeTree } from './tree.ts';

const HOUR = 3600_000;

export class StatusHome implements Mirror {
  readonly app: FastifyInstance = fastify({ exposeHeadRoutes: false });
  readonly metrics = new ServeMetrics();
  readonly blocks = new MemoryBlocks();
  readonly dir = mkdtempSync(join(tmpdir(), 'shardctl-status-'));
  readonly runs = join(this.dir, 'runs');
  readonly peers = new Map<string, Peer>();
  readonly repositories = new Map<string, ServedRepository>();
  /** Names of those that a request with the header `authorization: Bearer key` may read alone. */
  readonly privateNames = new Set<string>();
  demand: Demand = { replication: { min: 2, max: 2 }, allocateBy: [] };
  running: RunningRun[] = [];
  now = Date.parse('2026-11-26T12:00:00Z');
  readonly #stop = new AbortController();
  readonly #listeners = new Set<(view: MirrorView) => void>();
  /** Views in use. */
  held = 0;
  readonly #shards = new Map<number, ShardRecord>();

  /** Begins to serve what was added. @returns its address, without a slash at its end */
  async listen(): Promise<string> {
    const isPrivate = (name: string) => this.privateNames.has(name);
    const access = {
      isRestricted: this.privateNames.size > 0,
      isPrivate,
      mayRead: ({ headers }: Asker, name: string) => !isPrivate(name) || headers.authorization === 'Bearer key',
    } as unknown as Access;
    const source = {
      runs: this.runs,
      demand: () => this.demand,
      running: () => this.running,
      lastLocked: () => this.now - 4 * 60_000,
      now: () => this.now,
      version: '1.2.3',
    };
    statusRoutes(this.app, { mirror: this, access, metrics: this.metrics, source, signal: this.#stop.signal });
    return await this.app.listen({ host: '127.0.0.1', port: 0 });
  }

  /** @param shards each on two peers */
  async repository(name: string, tree: TreeSpec, snapshots = 3, shards = 4): Promise<void> {
    const root = await this.blocks.importTree(writeTree(mkdtempSync(join(this.dir, 'tree-')), tree));
    const cid = cidText(root, 1);
    const first = this.#shards.size;
    for (let number = first; number < first + shards; number += 1) {
      this.#shards.set(number, { number, cid, bytes: 1e8, blocks: 10, carBytes: 1e8, dagSize: 1e8, peers: ['a', 'b'], state: 'committed' });
    }
    const records = Array.from({ length: snapshots }, (_, at): SnapshotRecord => {
      const needed = Math.ceil((shards * (at + 1)) / snapshots);
      return {
        repository: name,
        number: at + 1,
        cid: `${name}@${at + 1}`,
        tree: cid,
        parent: null,
        time: new Date(this.now - (snapshots - at) * 20 * HOUR).toISOString(),
        counts: { files: 1000 * (at + 1), directories: 10, symlinks: 0 },
        bytes: 1e8 * needed,
        shards: Array.from({ length: needed }, (_, shard) => first + shard),
        catalogue: { cid, bytes: 1, blocks: 1, carBytes: 1, peers: [] },
        profile: 'unixfs-v1-2025',
        metadata: true,
        tool: 'test',
      };
    });
    this.repositories.set(name, { name, head: records.at(-1) as SnapshotRecord, snapshots: records });
  }

  /** A peer that gives a metric, or fails with it. */
  peer(name: string, zone: string | undefined, metric: Omit<Metric, 'at'> | (() => Promise<Metric>)): void {
    const answer = typeof metric === 'function' ? metric : async () => ({ ...metric, at: this.now });
    this.peers.set(name, { name, kind: 'local', tags: zone === undefined ? {} : { zone }, metric: answer } as unknown as Peer);
  }

  setShard(number: number, changes: Partial<ShardRecord>): void {
    this.#shards.set(number, { ...(this.#shards.get(number) as ShardRecord), ...changes });
  }

  acquire(): MirrorView {
    this.held += 1;
    return this.newest;
  }

  get newest(): MirrorView {
    const index = { shard: (number: number) => this.#shards.get(number), repository: () => undefined };
    return { repositories: this.repositories, peers: this.peers, blocks: this.blocks, index } as unknown as MirrorView;
  }

  release(): void {
    this.held -= 1;
  }

  onChange(listener: (view: MirrorView) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** As when a run has committed. */
  changed(): void {
    for (const listener of this.#listeners) listener(this.acquire());
    this.held -= this.#listeners.size;
  }

  async close(): Promise<void> {
    this.#stop.abort();
    // A browser keeps connections on which it has asked nothing.
    this.app.server.closeAllConnections();
    await this.app.close();
    rmSync(this.dir, { recursive: true, force: true });
  }
}
