/**
 * Stores the blocks that `add`, `update`, `prune` and `import-car` make: packs them into shards, and places these.
 * In: batches of blocks. Out: placed shards, recorded in the index. Holds: what pack and place hold.
 */
import type { Index } from '../index/index.ts';
import type { PendingWriter } from '../index/pending/writer.ts';
import type { BlockBatch } from '../shard/batch.ts';
import type { Ledger } from './allocate/ledger.ts';
import type { PackedShard } from './pack/open-shard.ts';
import { Packer, type PackOptions } from './pack/packer.ts';
import { type PlaceOptions, Placer } from './place/placer.ts';
import type { UsableShards } from './usable-shards.ts';

type PackingOptions = Pick<PackOptions, 'shardBytes' | 'spool'>;
type PlacingOptions = Omit<PlaceOptions, 'announce' | 'record'>;

export interface ShardSinkOptions extends PackingOptions, PlacingOptions {
  readonly index: Index;
  readonly ledger: Ledger;
  /** Says which shards are on peers: a block in another shard is stored anew. Is told of each shard that is placed. */
  readonly usableShards: UsableShards;
  /** Says of shards that are on peers whether their blocks may be counted on. [all] */
  readonly usable?: (shard: number) => boolean;
  /** Notes which files the shards hold; absent when the blocks come from no source. */
  readonly pending?: PendingWriter;
}

export class ShardSink {
  readonly #options: ShardSinkOptions;
  readonly #packer: Packer;
  readonly #placer: Placer;

  constructor(options: ShardSinkOptions) {
    const { index, ledger, replication, usableShards, usable = () => true, pending } = options;
    this.#options = options;
    this.#packer = new Packer({
      ...options,
      takeNumber: () => index.takeShardNumber(),
      roomFor: (bytes) => ledger.roomFor(bytes, replication),
      shardOf: (digest, at) => index.shardOf(digest, at, (shard) => usable(shard) && usableShards.isHeld(shard)),
    });
    this.#placer = new Placer({
      ...options,
      announce: (stray) => index.noteStray(stray),
      record: async (shard, digests) => {
        await index.addPlaced(shard, digests);
        usableShards.placed(shard);
        // Only now: until the index finds the shard's blocks, the packer has to.
        this.#packer.placed(shard.number);
        await pending?.placed(shard.number);
      },
    });
  }

  /** What was packed so far. */
  get packed(): Pick<Packer, 'sealed' | 'reusedShards' | 'newBlocks' | 'newBytes'> {
    return this.#packer;
  }

  /** Bytes that each peer was given so far. */
  get placedBytes(): ReadonlyMap<string, number> {
    return this.#placer.placedBytes;
  }

  /** Takes a batch; resolves when the next may come, which may be only when a shard under way is placed. */
  async add(step: BlockBatch): Promise<void> {
    for await (const shard of this.#packer.add(step)) await this.#place(shard);
  }

  /** No more batches come. Resolves when every shard is placed and recorded. */
  async finish(): Promise<void> {
    const last = await this.#packer.seal();
    if (last !== undefined) await this.#place(last);
    await this.#placer.drained();
  }

  /** The run fails: waits for the shards under way, however they end, and removes the open one. */
  async abandon(): Promise<void> {
    await this.#placer.drained().catch(() => {});
    await this.#packer.abandon();
  }

  async #place(shard: PackedShard): Promise<void> {
    const { number, cid, bytes, blocks } = shard;
    this.#options.emit({ type: 'sealed', shard: number, cid, bytes, blocks });
    await this.#placer.place(shard);
  }
}
