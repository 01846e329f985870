/** Packing and placing as one: what `add` and `prune` do with the blocks that they make. */
import type { Emit } from '../core/events.ts';
import type { Replication } from '../core/model.ts';
import type { Index } from '../index/index.ts';
import type { PendingWriter } from '../index/pending/writer.ts';
import type { Peer } from '../peer/peer.ts';
import { Packer } from './pack/packer.ts';
import type { Allocations } from './place/needs.ts';
import { Placer, type Transferring } from './place/placer.ts';
import type { UsableShards } from './usable-shards.ts';

export interface StoringOptions extends Transferring {
  /** What people see of the shards on a peer. */
  readonly repository: string;
  readonly index: Index;
  readonly spool: string;
  readonly peers: ReadonlyMap<string, Peer>;
  readonly allocations: Allocations & { roomFor(bytes: number, replication: Replication): number };
  readonly replication: Replication;
  readonly shardBytes: number;
  /** Who says which shards are there: only these are counted on for blocks that they hold already. Learns of each that is placed. */
  readonly usableShards: UsableShards;
  /** Which of them may be counted on, if not all. */
  readonly usable?: (shard: number) => boolean;
  /** Where the files are noted that the shards hold; undefined when they come from no source. */
  readonly pending?: PendingWriter;
  readonly emit: Emit;
  readonly signal: AbortSignal;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** A packer whose sealed shards go to the placer, and into the index when they are placed. */
export function storing(options: StoringOptions): { readonly packer: Packer; readonly placer: Placer } {
  const { repository, index, spool, peers, allocations, replication, shardBytes, usableShards, pending, emit, signal } = options;
  const { transfers, throttle, now, usable = () => true } = options;
  const placer = new Placer({
    repository,
    peers,
    allocations,
    replication,
    emit,
    signal,
    transfers,
    throttle,
    now,
    announce: (stray) => index.noteStray(stray),
    record: async (shard, digests) => {
      await index.addPlaced(shard, digests);
      // Before the packer forgets its blocks: from here on the index must find them.
      usableShards.placed(shard);
      packer.placed(shard.number);
      await pending?.placed(shard.number);
    },
  });
  const packer = new Packer({
    shardBytes,
    spool,
    firstNumber: index.nextShardNumber(),
    roomFor: (bytes) => allocations.roomFor(bytes, replication),
    shardOf: (digest, at) => index.shardOf(digest, at, (shard) => usable(shard) && usableShards.isHeld(shard)),
    onPacked: ({ finished }, bytes) => {
      if (finished !== undefined) pending?.add(finished, bytes);
      if (!packer.isOpen) pending?.cover();
    },
    onMet: (shard) => pending?.meets(shard),
    onSealed: async (shard) => {
      pending?.sealed(shard.number, shard.cid);
      emit({ type: 'sealed', shard: shard.number, cid: shard.cid, bytes: shard.bytes, blocks: shard.blocks });
      await placer.place(shard);
    },
  });
  return { packer, placer };
}
