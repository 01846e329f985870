/** Which blocks retained snapshots reach: a walk from the roots of their trees, through each subtree once. Holds 44 to 88 bytes a block. */
import { BlockSet } from '../../core/block-set.ts';
import type { DigestMap } from '../../core/digest-map.ts';
import { Turns } from '../../core/event-loop.ts';
import type { Emit } from '../../core/events.ts';
import { type BlockId, DIGEST_BYTES, RAW, type ShardRecord } from '../../core/model.ts';
import { cidText } from '../../dag/cid.ts';
import { decodeNode, type Link } from '../../dag/node-reader.ts';
import { NotUnixFs } from '../../dag/protobuf-reader.ts';
import type { ShardContents } from '../../peer/peer.ts';
import type { Blocks } from '../blocks/block-source.ts';

export interface LiveOptions {
  readonly blocks: Blocks;
  readonly emit: Emit;
  readonly signal: AbortSignal;
}

/** @throws ShardctlError when a node cannot be read, because the blocks below it are not known then: without them, live blocks would be freed */
export async function liveBlocks(trees: Iterable<BlockId>, { blocks, emit, signal }: LiveOptions): Promise<DigestMap> {
  const met = new BlockSet();
  const turns = new Turns(signal);
  let nodes = 0;
  let bytes = 0;
  for (const tree of trees) {
    const waiting: Pick<Link, 'codec' | 'digest'>[] = [tree];
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      if (!met.add(next) || next.codec === RAW) continue;
      const block = await blocks.read(next.digest);
      // Last in, first out: reversed, nodes are read in the order in which they were packed.
      for (const link of linksIn(next, block).toReversed()) waiting.push(link);
      bytes += block.length;
      nodes++;
      if (!turns.isDue) continue;
      emit({ type: 'progress', label: 'looking for what is live', done: nodes, total: 0, bytes });
      await turns.give();
    }
  }
  return met.digests;
}

function linksIn(id: BlockId, block: Uint8Array): readonly Link[] {
  try {
    return decodeNode(block).links;
  } catch (error) {
    throw error instanceof NotUnixFs ? new NotUnixFs(`${cidText(id, 1)} is ${error.message}`) : error;
  }
}

/** A shard, and how much of it retained snapshots reach. */
export interface ShardUse {
  readonly shard: ShardRecord;
  readonly usedBlocks: number;
  readonly usedBytes: number;
  /** How many of the blocks in use cannot be read anywhere. Such a shard is left as it is. */
  readonly lostBlocks?: number;
}

export function useOf(shard: ShardRecord, { digests, lengths }: ShardContents, live: DigestMap): ShardUse {
  let usedBlocks = 0;
  let usedBytes = 0;
  for (const [index, length] of lengths.entries()) {
    if (live.get(digests, index * DIGEST_BYTES) === undefined) continue;
    usedBlocks++;
    usedBytes += length;
  }
  return { shard, usedBlocks, usedBytes };
}
