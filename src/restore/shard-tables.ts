/** Which block lies where in which shard, by the manifests of the shards: loaded when a block of theirs is first asked for. */
import { DigestMap } from '../core/digest-map.ts';
import { ShardctlError } from '../core/errors.ts';
import { DIGEST_BYTES } from '../core/model.ts';
import type { ShardContents } from '../peer/peer.ts';
import type { ShardStream } from './shard-stream.ts';

/** What is known of the shards that hold a tree, and how they can be read. */
export interface ShardAccess {
  /** CID of a shard that holds the block; undefined when none is known. */
  shardOf(digest: Uint8Array): string | undefined;
  /** @throws ShardctlError when no copy of its manifest can be read */
  contents(cid: string): Promise<ShardContents>;
  /** Ways to read the shard as a stream, the best first. None when only single blocks of it can be had. */
  streams(cid: string): Promise<readonly ShardStream[]>;
}

/** Where a block lies. */
export interface BlockPosition {
  /** Number of the shard in these tables. */
  readonly shard: number;
  /** The how many-th block of the shard it is, from 0. */
  readonly ordinal: number;
}

interface Table {
  readonly contents: ShardContents;
  readonly ordinals: DigestMap;
}

/**
 * So many blocks of all tables together are kept, 150 bytes each: trees are read in the order in which they were packed, so few shards are
 * asked for at a time. A table that was let go of is read again.
 */
const MOST_BLOCKS = 2 ** 18;

export class ShardTables {
  readonly #access: ShardAccess;
  readonly #numbers = new Map<string, number>();
  readonly #cids: string[] = [];
  /** By number of the shard, the most recently used one last. */
  readonly #tables = new Map<number, Table>();
  /** Shards whose manifest cannot be had: their blocks are read one by one, and say why. */
  readonly #failed = new Set<number>();
  #blocks = 0;
  #last: { readonly shard: number; readonly table: Table } | undefined;

  constructor(access: ShardAccess) {
    this.#access = access;
  }

  cidOf(shard: number): string {
    return this.#cids[shard] as string;
  }

  /** Undefined when no shard is known to have the block, or when its manifest cannot be read. */
  async find(digest: Uint8Array): Promise<BlockPosition | undefined> {
    const found = this.#findLoaded(digest);
    if (found !== undefined) return found;
    const cid = this.#access.shardOf(digest);
    if (cid === undefined) return undefined;
    const shard = this.#numberOf(cid);
    const ordinal = (await this.#load(shard))?.ordinals.get(digest);
    return ordinal === undefined ? undefined : { shard, ordinal };
  }

  /** The same without waiting: undefined also when the table is not loaded. */
  #findLoaded(digest: Uint8Array): BlockPosition | undefined {
    const recent = this.#last?.table.ordinals.get(digest);
    if (recent !== undefined) return { shard: this.#last?.shard as number, ordinal: recent };
    for (const [shard, table] of this.#tables) {
      const ordinal = table.ordinals.get(digest);
      if (ordinal === undefined) continue;
      this.#use(shard, table);
      return { shard, ordinal };
    }
    return undefined;
  }

  /** Bytes of the block that was just found; 0 when there is no such block. */
  lengthOf({ shard, ordinal }: BlockPosition): number {
    return this.#tables.get(shard)?.contents.lengths[ordinal] ?? 0;
  }

  /** The digest of a block that was found before. @throws ShardctlError when the manifest cannot be read any more */
  async digestOf({ shard, ordinal }: BlockPosition): Promise<Uint8Array> {
    const { digests } = await this.contents(shard);
    return digests.subarray(ordinal * DIGEST_BYTES, (ordinal + 1) * DIGEST_BYTES);
  }

  /** @throws ShardctlError when the manifest cannot be read any more */
  async contents(shard: number): Promise<ShardContents> {
    return this.#tables.get(shard)?.contents ?? (await this.#access.contents(this.cidOf(shard)));
  }

  async streams(shard: number): Promise<readonly ShardStream[]> {
    return await this.#access.streams(this.cidOf(shard));
  }

  #numberOf(cid: string): number {
    const known = this.#numbers.get(cid);
    if (known !== undefined) return known;
    this.#numbers.set(cid, this.#cids.length);
    return this.#cids.push(cid) - 1;
  }

  async #load(shard: number): Promise<Table | undefined> {
    if (this.#failed.has(shard)) return undefined;
    const loaded = this.#tables.get(shard);
    if (loaded !== undefined) return loaded;
    try {
      const contents = await this.#access.contents(this.cidOf(shard));
      const table = { contents, ordinals: contents.positions ?? positionsIn(contents) };
      this.#blocks += contents.lengths.length;
      this.#use(shard, table);
      return table;
    } catch (error) {
      if (!(error instanceof ShardctlError)) throw error;
      this.#failed.add(shard);
      return undefined;
    }
  }

  #use(shard: number, table: Table): void {
    this.#last = { shard, table };
    this.#tables.delete(shard);
    this.#tables.set(shard, table);
    for (const [old, { contents }] of this.#tables) {
      if (this.#blocks <= MOST_BLOCKS || old === shard) break;
      this.#tables.delete(old);
      this.#blocks -= contents.lengths.length;
    }
  }
}

function positionsIn({ digests, lengths }: ShardContents): DigestMap {
  const positions = new DigestMap();
  for (let ordinal = 0; ordinal < lengths.length; ordinal++) positions.add(digests, ordinal * DIGEST_BYTES, ordinal);
  return positions;
}
