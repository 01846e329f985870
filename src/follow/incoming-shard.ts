/** A shard on its way from gateways into the spool: its CAR, made of its manifest and of its blocks as they stream in, each hashed. */
import { ShardctlError } from '../core/errors.ts';
import { parseCid } from '../dag/cid.ts';
import type { Gateways } from '../gateway/gateways.ts';
import { manifestOf } from '../gateway/manifests.ts';
import { readShardPart } from '../gateway/shard-part.ts';
import { BatchBuilder } from '../shard/batch.ts';
import { SectionCursor } from '../shard/car.ts';
import { contentsOf } from '../shard/manifest.ts';
import { OpenShard, type PackedShard } from '../storing/pack/open-shard.ts';

/** Bytes that are asked for at once, and may wait for the disk; a block is never cut. */
const PART_BYTES = 32 * 1024 * 1024;
const BATCH_BYTES = 1024 * 1024;

export interface IncomingOptions {
  readonly spool: string;
  /** That no other shard in the spool has. */
  readonly number: number;
  /** Called when its size is known, before its blocks are asked for. Throws when there is no room for it. */
  readonly assertRoom: (carBytes: number) => void;
}

/**
 * The file in the spool is removed when this fails.
 * @throws ShardctlError `DAMAGE` when it is no shard, `TOO_FEW_PEERS` when no gateway gives all of it; what `assertRoom` throws
 */
export async function fetchShard(gateways: Gateways, cid: string, { spool, number, assertRoom }: IncomingOptions): Promise<PackedShard> {
  const { digests, lengths, carBytes } = contentsOf(await manifestOf(gateways, parseCid(cid)));
  assertRoom(carBytes);
  const shard = new OpenShard(spool, number);
  const builder = new BatchBuilder();
  const flush = () => {
    const batch = builder.take();
    for (const cursor = new SectionCursor(batch); cursor.next(); ) shard.note(batch, cursor.digestAt, cursor.end - cursor.dataAt);
    void shard.write(batch);
  };
  try {
    for (let from = 0; from < lengths.length; ) {
      const to = partEnd(lengths, from);
      await readShardPart(gateways, { cid, digests, lengths, from, to }, (_, bytes) => {
        builder.add(bytes);
        if (builder.length >= BATCH_BYTES) flush();
      });
      await shard.writable();
      from = to;
    }
    flush();
    const sealed = await shard.seal();
    // Blocks and their order are right, so it is the manifest that nobody makes in this way.
    if (sealed.cid !== cid) throw new ShardctlError('DAMAGE', `${cid} is not laid out as a shard is (its blocks make ${sealed.cid})`);
    return sealed;
  } catch (error) {
    await shard.abandon();
    throw error;
  }
}

function partEnd(lengths: readonly number[], from: number): number {
  let bytes = 0;
  let to = from;
  while (to < lengths.length && bytes < PART_BYTES) bytes += lengths[to++] ?? 0;
  return to;
}
