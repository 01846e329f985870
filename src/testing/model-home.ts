/** For tests: a home in memory whose repositories share blocks, and what they show by the obvious slow way. */
import { type BlockId, DAG_PB, RAW, type ShardRecord, type SnapshotRecord } from '../core/model.ts';
import { cidText, parseCid } from '../dag/cid.ts';
import { encodeNamedLinks } from '../dag/dag-pb.ts';
import { decodeNode } from '../dag/node-reader.ts';
import type { Mirror, MirrorView, ServedRepository } from '../serve/mirror.ts';
import { ManifestBuilder } from '../shard/manifest.ts';
import { buildSnapshot } from '../snapshot/snapshot.ts';
import { MemoryBlocks } from './memory-blocks.ts';

const FIRST_BLOCKS = 4;

/** A block of the pool: a leaf with bytes of its own, a leaf that has the bytes of a node, or a directory of earlier blocks. */
export interface MadeBlock {
  readonly kind: 'leaf' | 'copy' | 'node';
  readonly of: readonly number[];
  readonly shard: number;
}

/** A home in memory. */
export class ModelHome implements Mirror {
  readonly blocks = new MemoryBlocks();
  readonly pool: BlockId[] = [];
  readonly shards: ShardRecord[] = [];
  readonly #lists = new Map<string, readonly string[]>();
  readonly #nodes = new Map<string, readonly string[]>();
  readonly #listeners: ((view: MirrorView) => void)[] = [];
  readonly repositories = new Map<string, SnapshotRecord[]>();
  /** By a repository's name: those that it had before. */
  readonly renamedFrom = new Map<string, string[]>();
  /** Every block that there is. */
  readonly all = new Map<string, Uint8Array>();
  held = 0;
  #view: MirrorView | undefined;

  constructor(made: readonly MadeBlock[]) {
    const bytes: Uint8Array[] = [];
    const add = (codec: BlockId['codec'], block: Uint8Array) => {
      this.pool.push({ codec, digest: this.#put(block) });
      bytes.push(block);
    };
    for (let at = 0; at < FIRST_BLOCKS; at++) add(RAW, Buffer.from(`leaf ${at}`));
    for (const { kind, of } of made) {
      const targets = of.map((number) => number % this.pool.length);
      if (kind === 'leaf') add(RAW, Buffer.from(`leaf ${this.pool.length}`));
      else if (kind === 'copy') add(RAW, bytes[targets[0] ?? 0] as Uint8Array);
      else
        add(
          DAG_PB,
          encodeNamedLinks(
            targets.map((target, at) => [`${at}`, { ...(this.pool[target] as BlockId), dagSize: 1 }]),
            1,
          ),
        );
    }
    for (let number = 0; number < 4; number++) {
      const own = this.pool.filter((_, at) => (made[at - FIRST_BLOCKS]?.shard ?? at) === number);
      this.shards.push({
        number,
        cid: this.#shardOf(own),
        bytes: 1,
        blocks: own.length,
        carBytes: 1,
        dagSize: 1,
        peers: [],
        state: 'committed',
      });
    }
  }

  commit(name: string, tree: number): void {
    const root = this.pool[tree % this.pool.length] as BlockId;
    const reached = this.#below(root, new Set());
    const shards = this.shards.filter(({ cid }) => (this.#lists.get(cid) as string[]).some((key) => reached.has(key)));
    const old = this.repositories.get(name) ?? [];
    const number = (old.at(-1)?.number ?? 0) + 1;
    const file = { format: 1, repository: name, time: '2026-01-01T00:00:00Z', parent: null, profile: 'unixfs-v1-2025', metadata: true };
    const counts = { files: number, directories: 1, symlinks: 0 };
    const links = shards.map((shard) => ({ number: shard.number, cid: shard.cid, dagSize: 1 }));
    const built = buildSnapshot({ ...file, counts, bytes: 1, tool: 't' }, links, { ...root, dagSize: 1 }, Buffer.from('unused'));
    const own = built.blocks.slice(0, -1).map((block) => ({ codec: DAG_PB, digest: this.#put(block) }) as BlockId);
    this.#nodes.set(built.cid, [...own, root].map(keyOf));
    const catalogue = { cid: this.#shardOf([...own, root]), bytes: 1, blocks: 1, carBytes: 1, peers: [] };
    const record = {
      ...file,
      number,
      cid: built.cid,
      tree: cidText(root, 1),
      counts,
      bytes: 1,
      shards: shards.map((it) => it.number),
      catalogue,
      tool: 't',
    };
    this.repositories.set(name, [...old, record]);
  }

  rename(from: string, to: string): void {
    const snapshots = this.repositories.get(from);
    if (snapshots === undefined || this.repositories.has(to)) return;
    this.repositories.delete(from);
    this.repositories.set(
      to,
      snapshots.map((snapshot) => ({ ...snapshot, repository: to })),
    );
    const before = new Set([from, ...(this.renamedFrom.get(from) ?? [])]);
    before.delete(to);
    this.renamedFrom.delete(from);
    this.renamedFrom.set(to, [...before]);
  }

  /** What these repositories show, by looking at everything. */
  shownOf(names: readonly string[]): ReadonlySet<string> {
    const shown = new Set<string>();
    const shards = new Set<string>();
    for (const name of names) {
      for (const { tree, cid, catalogue, shards: numbers } of this.repositories.get(name) ?? []) {
        for (const key of this.#below(parseCid(tree), new Set())) shown.add(key);
        for (const key of this.#nodes.get(cid) as string[]) shown.add(key);
        for (const shard of [catalogue.cid, ...numbers.map((number) => this.shards[number]?.cid as string)]) shards.add(shard);
      }
    }
    const whole = [...shards].filter((cid) => (this.#lists.get(cid) as string[]).every((key) => shown.has(key)));
    for (const cid of whole) for (const key of this.#nodes.get(cid) as string[]) shown.add(key);
    return shown;
  }

  changed(): void {
    const repositories = new Map<string, ServedRepository>();
    for (const [name, snapshots] of this.repositories)
      repositories.set(name, { name, head: snapshots.at(-1) as SnapshotRecord, snapshots });
    const index = {
      repositories: () => [...this.repositories.keys()].map((name) => ({ name, renamedFrom: this.renamedFrom.get(name) ?? [] })),
      shard: (number: number) => this.shards[number],
    };
    this.#view = { repositories, index, peers: new Map(), blocks: this.blocks } as unknown as MirrorView;
    for (const listener of this.#listeners) listener(this.#view);
  }

  acquire(): MirrorView {
    this.held++;
    return this.newest;
  }

  get newest(): MirrorView {
    return this.#view as MirrorView;
  }

  release(): void {
    this.held--;
  }

  onChange(listener: (view: MirrorView) => void): () => void {
    this.#listeners.push(listener);
    return () => {};
  }

  #put(block: Uint8Array): Uint8Array {
    const digest = this.blocks.put(block);
    this.all.set(keyOf({ digest }), digest);
    return digest;
  }

  #shardOf(blocks: readonly BlockId[]): string {
    const digests = new Map(blocks.map((block) => [keyOf(block), block.digest]));
    const manifest = new ManifestBuilder();
    for (const digest of digests.values()) manifest.add(digest, 0, 1);
    const nodes: string[] = [];
    const cid = cidText(
      manifest.finish((block) => nodes.push(keyOf({ digest: this.#put(block) }))),
      1,
    );
    this.#lists.set(cid, [...digests.keys()]);
    this.#nodes.set(cid, nodes);
    return cid;
  }

  #below(block: BlockId, met: Set<string>): ReadonlySet<string> {
    met.add(keyOf(block));
    if (block.codec === DAG_PB) for (const link of decodeNode(this.bytesOf(block)).links) this.#below(link, met);
    return met;
  }

  bytesOf({ digest }: Pick<BlockId, 'digest'>): Uint8Array {
    return this.blocks.now(digest);
  }
}

function keyOf({ digest }: { readonly digest: Uint8Array }): string {
  return Buffer.from(digest).toString('hex');
}
