/**
 * Copies the blocks in use of thin shards into new ones: read back and hashed, packed, placed and recorded as those of an
 * import are. The thin shards stay as they are; a run that dies here leaves shards that no snapshot names.
 */

import type { DigestMap } from '../../core/digest-map.ts';
import { DIGEST_BYTES, type Replication } from '../../core/model.ts';
import type { BlockSource } from '../../read/blocks/block-source.ts';
import { contentsOn } from '../../read/blocks/shard-contents.ts';
import type { ShardUse } from '../../read/tree/reachable.ts';
import { BatchBuilder, ownBlocks } from '../../shard/batch.ts';
import type { Ledger } from '../../storing/allocate/ledger.ts';
import { ShardSink } from '../../storing/shard-sink.ts';
import { UsableShards } from '../../storing/usable-shards.ts';
import type { Maintenance } from '../maintenance.ts';

/** Blocks are gathered into batches of this size. */
const BATCH_BYTES = 256 * 1024;

export interface RepackOptions {
  readonly thin: readonly ShardUse[];
  readonly live: DigestMap;
  /** Shards that are not to be counted on: the thin and the dead ones. */
  readonly leaving: ReadonlySet<number>;
  readonly blocks: BlockSource;
  readonly ledger: Ledger;
  /** The largest demand among the repositories that need the thin shards: their blocks are mixed in the new ones. */
  readonly replication: Replication;
}

export interface Repacked {
  /** Thin shard → the shards that now hold what was in use of it. */
  readonly targets: ReadonlyMap<number, ReadonlySet<number>>;
  readonly newShards: readonly number[];
  readonly copiedBytes: number;
}

export async function repack(run: Maintenance, { thin, live, leaving, blocks, ledger, replication }: RepackOptions): Promise<Repacked> {
  const { index, peers, emit, signal } = run;
  const usableShards = await UsableShards.load(index, peers, ledger.silent());
  const sink = new ShardSink({
    ...run,
    repository: 'repacked',
    ledger,
    replication,
    usableShards,
    usable: (shard) => !leaving.has(shard),
  });

  // In the order of their numbers, so that blocks which were packed one after the other stay together.
  const inOrder = thin.toSorted((a, b) => a.shard.number - b.shard.number);
  const builder = new BatchBuilder();
  try {
    let bytes = 0;
    for (const [done, { shard }] of inOrder.entries()) {
      for (const digest of liveDigests((await contentsOn(shard, peers)).digests, live)) {
        const block = await blocks.read(digest);
        builder.add(Buffer.from(block.buffer, block.byteOffset, block.length));
        bytes += block.length;
        if (builder.length < BATCH_BYTES) continue;
        signal.throwIfAborted();
        await sink.add(ownBlocks(builder.take()));
      }
      emit({ type: 'progress', label: 'repacking', done: done + 1, total: inOrder.length, bytes });
    }
    await sink.add(ownBlocks(builder.take()));
    await sink.finish();
  } catch (error) {
    await sink.abandon();
    throw error;
  }

  const targets = new Map<number, Set<number>>();
  for (const { shard } of inOrder) {
    const found = new Set<number>();
    for (const digest of liveDigests((await contentsOn(shard, peers)).digests, live)) {
      const target = index.shardOf(digest, 0, (number) => !leaving.has(number) && usableShards.isHeld(number));
      if (target === undefined) throw new Error(`a block of shard ${shard.number} was not copied`);
      found.add(target);
    }
    targets.set(shard.number, found);
  }
  return { targets, newShards: sink.packed.sealed, copiedBytes: sink.packed.newBytes };
}

function* liveDigests(digests: Buffer, live: DigestMap): Generator<Uint8Array> {
  for (let at = 0; at < digests.length; at += DIGEST_BYTES) {
    if (live.get(digests, at) !== undefined) yield digests.subarray(at, at + DIGEST_BYTES);
  }
}
