/** Whole runs in the test's own process: a home in a temporary directory, and `ingest` on it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Emit, Event, Plan, Summary } from '../core/events.ts';
import type { ShardRecord } from '../core/model.ts';
import { toBytes } from '../core/path-bytes.ts';
import { profileOf } from '../dag/cid-profile.ts';
import { Index } from '../index/index.ts';
import { verify } from '../maintain/verify.ts';
import type { PeerLayout } from '../peer/local/directory/identity.ts';
import { LocalPeer } from '../peer/local/local.ts';
import type { Peer } from '../peer/peer.ts';
import { planRun } from '../update/dry-run.ts';
import type { ImportRequest, IngestControl, IngestHome, IngestRun } from '../update/ingest-run.ts';
import { update } from '../update/update.ts';
import { TEST_OWNER } from './owner.ts';

export interface Ran {
  readonly summary: Summary;
  readonly events: readonly Event[];
}

/** What a test wants otherwise than it is by default. */
export type RunOptions = Partial<ImportRequest & IngestHome & IngestControl>;

export class TestHome {
  readonly dir: string;
  readonly peers = new Map<string, Peer>();

  static async create(
    peers: Readonly<Record<string, { capacity?: number; tags?: Record<string, string> }>> = { local: {} },
    layout: PeerLayout = 'car',
  ): Promise<TestHome> {
    const home = new TestHome(mkdtempSync(join(tmpdir(), 'shardctl-home-')));
    for (const [name, { capacity, tags = {} }] of Object.entries(peers)) {
      home.peers.set(
        name,
        await LocalPeer.create({ owner: TEST_OWNER, name, path: join(home.dir, 'peers', name), layout, tags, capacity }),
      );
    }
    return home;
  }

  /** A home that is there already, with the peers of these names. */
  static at(dir: string, peers: readonly string[], layout: PeerLayout = 'car'): TestHome {
    const home = new TestHome(dir);
    for (const name of peers) home.peers.set(name, new LocalPeer({ owner: TEST_OWNER, name, path: join(dir, 'peers', name), layout }));
    return home;
  }

  private constructor(dir: string) {
    this.dir = dir;
  }

  index(): Promise<Index> {
    return Index.open(join(this.dir, 'index'), { anew: true });
  }

  /** Adds a directory; `onEvent` may interfere with the run while it goes on. */
  async add(source: string, options: RunOptions = {}, onEvent: (event: Event) => void = () => {}): Promise<Ran> {
    const index = await this.index();
    const events: Event[] = [];
    try {
      const emit = (event: Event) => {
        events.push(event);
        onEvent(event);
      };
      const summary = await update(this.#run(index, source, { ...options, emit }));
      return { summary, events };
    } finally {
      await index.close();
    }
  }

  /** What adding a directory would do. */
  async plan(source: string, options: RunOptions = {}, emit: Emit = () => {}): Promise<Plan> {
    const index = await Index.open(join(this.dir, 'index'), { readOnly: true });
    try {
      return await planRun(this.#run(index, source, { ...options, emit }));
    } finally {
      await index.close();
    }
  }

  #run(index: Index, source: string, options: RunOptions): IngestRun {
    const request: ImportRequest = {
      repository: 'test',
      source: toBytes(source),
      metadata: true,
      profile: profileOf('unixfs-v1-2025'),
      chunker: undefined,
      filters: [],
      copyLinks: false,
      trust: { ignoreCtime: false, ignoreInode: false, checksum: false },
      maxDelete: undefined,
      itemize: false,
      ownDemand: {},
      replication: { min: 1, max: 1 },
      allocateBy: ['freespace'],
      shardBytes: 128 * 1024 * 1024,
    };
    const home: IngestHome = {
      index,
      peers: this.peers,
      spool: join(this.dir, 'spool'),
      heads: join(this.dir, 'heads'),
      pending: join(this.dir, 'index', 'pending'),
    };
    const control: IngestControl = { toolVersion: 'test', emit: () => {}, signal: new AbortController().signal, now: Date.now };
    return { request: { ...request, ...options }, home: { ...home, ...options }, control: { ...control, ...options } };
  }

  /** Reads every block of every snapshot on every peer that should have it; the findings. */
  async damage(): Promise<string[]> {
    const index = await this.index();
    const findings: string[] = [];
    try {
      const shards = index
        .repositories()
        .flatMap(({ name }) =>
          index
            .snapshots(name)
            .flatMap(({ shards: numbers, catalogue }) => [
              ...numbers.map((number) => ({ ...(index.shard(number) as ShardRecord), label: `shard ${number}` })),
              { ...catalogue, label: 'catalogue' },
            ]),
        );
      const emit = (event: Event) => {
        if (event.type === 'damage') findings.push(`${event.what} on ${event.where}: ${event.detail}`);
        if (event.type === 'no-answer') findings.push(`${event.peer}: ${event.detail}`);
      };
      await verify({ shards, peers: this.peers, readData: true, emit, signal: new AbortController().signal });
    } finally {
      await index.close();
    }
    return findings;
  }

  remove(): void {
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** The root that the tree has in an empty home. */
export async function freshRoot(source: string, options: RunOptions = {}): Promise<string> {
  const fresh = await TestHome.create();
  try {
    return (await fresh.add(source, options)).summary.tree;
  } finally {
    fresh.remove();
  }
}
