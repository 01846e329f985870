/** A follower in the test's own process, and a repository that a gateway gives it. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Event } from '../core/events.ts';
import { type BlockId, DAG_PB } from '../core/model.ts';
import { cidText, sha256 } from '../dag/cid.ts';
import { type FollowOptions, follow } from '../follow/follow.ts';
import type { Followed } from '../follow/followed.ts';
import { NearGateways } from '../follow/near-gateways.ts';
import { GATEWAY_LIMITS } from '../gateway/failure.ts';
import { Index } from '../index/index.ts';
import { LocalPeer } from '../peer/local/local.ts';
import { ManifestBuilder } from '../shard/manifest.ts';
import { buildSnapshot, type ShardLink, snapshotFile } from '../snapshot/snapshot.ts';
import type { BlockLookUp } from './hostile-gateway-truth.ts';
import { TEST_OWNER } from './owner.ts';

/** Gateways that fail do so at once. */
const LIMITS = { ...GATEWAY_LIMITS, connectMs: 2_000, silenceMs: 500, firstPauseMs: 5, longestPauseMs: 50 };

/** Shards in memory, and snapshots of them. */
export class PublishedShards {
  readonly #blocks = new Map<string, Uint8Array>();

  readonly blocks: BlockLookUp = (digest) => this.#blocks.get(Buffer.from(digest).toString('hex'));

  /** Makes a shard of these blocks. @returns its link */
  shard(number: number, blocks: readonly Buffer[]): ShardLink {
    const builder = new ManifestBuilder();
    let dagSize = 0;
    for (const block of blocks) {
      builder.add(this.#put(block), 0, block.length);
      dagSize += block.length;
    }
    const { digest } = builder.finish((node) => {
      this.#put(node);
      dagSize += node.length;
    });
    return { number, cid: cidText({ codec: DAG_PB, digest }, 1), dagSize };
  }

  /** A snapshot of these shards. @returns its root */
  snapshot(shards: readonly ShardLink[], { time = '2026-01-01T00:00:00.000Z', repository = 'test' } = {}): BlockId {
    const tree = Buffer.from([0x0a, 0x02, 0x08, 0x01]);
    const counts = { files: 0, directories: 1, symlinks: 0 };
    const record = { repository, time, parent: null, profile: 'unixfs-v1-2025', metadata: true, counts, bytes: 0, tool: 'test 1' };
    const root = { codec: DAG_PB, digest: this.#put(tree), dagSize: tree.length } as const;
    const built = buildSnapshot(snapshotFile(record), shards, root, tree);
    for (const block of built.blocks) this.#put(block);
    return built.root;
  }

  #put(block: Uint8Array): Uint8Array {
    const digest = sha256(block);
    this.#blocks.set(Buffer.from(digest).toString('hex'), Buffer.from(block));
    return digest;
  }
}

export class TestFollower {
  readonly dir = mkdtempSync(join(tmpdir(), 'shardctl-follower-'));
  readonly events: Event[] = [];

  /** One run. @param gateways URLs of those that are read from and asked who holds what */
  async follow(root: BlockId, gateways: readonly string[], more: Partial<FollowOptions> = {}): Promise<Followed> {
    const index = await Index.open(join(this.dir, 'index'));
    const peer = await LocalPeer.create({ owner: TEST_OWNER, name: 'space', path: this.peerDir, layout: 'car' });
    mkdirSync(join(this.dir, 'spool'), { recursive: true });
    const addresses = gateways.map((url) => ({ url }));
    const reading = new NearGateways(addresses, { limits: LIMITS });
    try {
      return await follow({
        index,
        peers: new Map([['space', peer]]),
        into: ['space'],
        follower: 'test',
        root,
        gateways: reading,
        routers: [],
        onSilent: () => {},
        maxBytes: undefined,
        mostDropped: (held) => held / 2,
        allowsOlder: false,
        spool: join(this.dir, 'spool'),
        stateFile: join(this.dir, 'follow.json'),
        transfers: 2,
        roomElsewhere: 0,
        isDryRun: false,
        emit: (event) => this.events.push(event),
        signal: new AbortController().signal,
        ...more,
      });
    } finally {
      reading.close();
      await index.close();
    }
  }

  get peerDir(): string {
    return join(this.dir, 'space');
  }

  /** CIDs that lie on the peer, its card and the catalogue among them. */
  async held(): Promise<readonly string[]> {
    const peer = new LocalPeer({ owner: TEST_OWNER, name: 'space', path: this.peerDir, layout: 'car' });
    const cids: string[] = [];
    for await (const cid of peer.list()) cids.push(cid);
    return cids;
  }

  get warnings(): readonly string[] {
    return this.events.flatMap((event) => (event.type === 'warning' ? [event.message] : []));
  }

  dispose(): void {
    rmSync(this.dir, { recursive: true, force: true });
  }
}
