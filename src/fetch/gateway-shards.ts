/**
 * The shards of a snapshot that gateways give: which of them has which block is known when their manifests have been read. They are read
 * one after the other, until the block that is wanted is found: first those that were filled first, for a first copy; the newest first for
 * an update, whose blocks are there.
 */
import { DigestMap } from '../core/digest-map.ts';
import { ShardctlError } from '../core/errors.ts';
import { DIGEST_BYTES, MAX_SHARD_BLOCKS } from '../core/model.ts';
import { parseCid } from '../dag/cid.ts';
import type { GatewayLimits } from '../gateway/failure.ts';
import type { Gateways } from '../gateway/gateways.ts';
import { manifestOf } from '../gateway/manifests.ts';
import type { GatewayAddress } from '../gateway/request.ts';
import type { ShardContents } from '../peer/peer.ts';
import type { TreeLink } from '../read/tree/tree.ts';
import type { ShardStream } from '../restore/shard-stream.ts';
import type { ShardAccess } from '../restore/shard-tables.ts';
import { contentsOf } from '../shard/manifest.ts';
import type { ShardLink } from '../snapshot/snapshot.ts';
import type { LeafBeside, ShardKnowledge } from './reuse/reuse.ts';

/**
 * Manifests that are read at once. For an update the newest one comes alone: mostly it lists all that is new, and each costs 45 bytes a
 * block. Each that does not have the block that is looked for doubles the number.
 */
const MOST_AHEAD = 8;

export interface GatewayShardsOptions {
  readonly gateways: Gateways;
  readonly addresses: readonly GatewayAddress[];
  /** For streams, which have connections of their own. */
  readonly limits?: GatewayLimits;
  /** In the order of their numbers. */
  readonly shards: readonly ShardLink[];
  readonly newestFirst: boolean;
  /** Told of a shard whose manifest cannot be had: what it holds is read block by block. */
  readonly onTrouble: (message: string) => void;
}

export class GatewayShards implements ShardAccess, ShardKnowledge {
  readonly #options: GatewayShardsOptions;
  /** CIDs of those that were not asked for yet, the next one last. */
  readonly #left: string[];
  #ahead: number;
  readonly #coming: { readonly cid: string; readonly contents: Promise<ShardContents | undefined> }[] = [];
  readonly #contents = new Map<string, ShardContents>();
  readonly #cids: string[] = [];
  /** From the digest of a block to where it lies: the index of its shard in `#cids`, times MAX_SHARD_BLOCKS, and its position in that. */
  readonly #placeOf = new DigestMap();

  constructor(options: GatewayShardsOptions) {
    this.#options = options;
    const cids = options.shards.map(({ cid }) => cid);
    this.#left = options.newestFirst ? cids : cids.reverse();
    this.#ahead = options.newestFirst ? 1 : MOST_AHEAD / 2;
  }

  /** Reads manifests until one lists the block, or all are read. */
  async lookFor(digest: Uint8Array): Promise<void> {
    while (this.#placeOf.get(digest) === undefined) {
      while (this.#coming.length < this.#ahead && this.#left.length > 0) {
        const cid = this.#left.pop() as string;
        this.#coming.push({ cid, contents: this.#read(cid) });
      }
      const next = this.#coming.shift();
      if (next === undefined) return;
      const contents = await next.contents;
      if (contents === undefined) continue;
      const number = this.#cids.push(next.cid) - 1;
      this.#contents.set(next.cid, contents);
      this.#ahead = Math.min(MOST_AHEAD, this.#ahead * 2);
      const { digests, lengths } = contents;
      for (let i = 0; i < lengths.length; i++) this.#placeOf.add(digests, i * DIGEST_BYTES, number * MAX_SHARD_BLOCKS + i);
    }
  }

  shardOf(digest: Uint8Array): string | undefined {
    const place = this.#placeOf.get(digest);
    return place === undefined ? undefined : this.#cids[Math.floor(place / MAX_SHARD_BLOCKS)];
  }

  /** As files of one leaf are packed: the leaf, then the root. */
  leafBeside({ digest, dagSize }: TreeLink): LeafBeside | undefined {
    const place = this.#placeOf.get(digest);
    const contents = this.#contents.get(this.shardOf(digest) ?? '');
    if (place === undefined || contents === undefined) return undefined;
    const before = (place % MAX_SHARD_BLOCKS) - 1;
    const { digests, lengths } = contents;
    const [length = Number.NaN, root = Number.NaN] = [lengths[before], lengths[before + 1]];
    if (length + root !== dagSize) return undefined;
    return { digest: digests.subarray(before * DIGEST_BYTES, (before + 1) * DIGEST_BYTES), length };
  }

  async contents(cid: string): Promise<ShardContents> {
    const contents = this.#contents.get(cid);
    if (contents === undefined) throw new ShardctlError('NOT_FOUND', `shard ${cid} was not read`);
    return contents;
  }

  async streams(): Promise<readonly ShardStream[]> {
    const { addresses, limits } = this.#options;
    return [{ form: 'gateways', addresses, limits }];
  }

  async #read(cid: string): Promise<ShardContents | undefined> {
    try {
      return contentsOf(await manifestOf(this.#options.gateways, parseCid(cid)));
    } catch (error) {
      if (!(error instanceof ShardctlError)) throw error;
      this.#options.onTrouble(error.message);
      return undefined;
    }
  }
}
