/** A whole CAR of a shard in the spool, made of what its replicas still have: each block from whichever gives it intact. */
import { isShortage, ShardctlError } from '../errors.ts';
import { DIGEST_BYTES, type PlacedShard } from '../model.ts';
import { OpenShard, type SpooledShard } from '../pack/open-shard.ts';
import type { Peer, ReadBlock, ShardReader } from '../peer/peer.ts';
import { SectionCursor } from '../shard/car.ts';
import { RunBuilder } from '../shard/run.ts';

/** Blocks are gathered into runs of this size. */
const RUN_BYTES = 256 * 1024;

export interface RebuildOptions {
  /** Where the CAR goes, and under what number. */
  readonly spool: string;
  readonly number: number;
  /** Those whose replica was found good come first. */
  readonly from: readonly Peer[];
  readonly signal: AbortSignal;
}

/** @returns the spooled shard, or undefined when the replicas together do not have every block */
export async function rebuild({ cid }: PlacedShard, { spool, number, from, signal }: RebuildOptions): Promise<SpooledShard | undefined> {
  const readers: ShardReader[] = [];
  for (const peer of from) {
    const reader = (await orDamaged(peer.open(cid))) ?? (await orDamaged(peer.salvage?.(cid)));
    if (reader !== undefined) readers.push(reader);
  }
  const [first] = readers;
  if (first === undefined) return undefined;
  const shard = new OpenShard(spool, number);
  const stream = new BlockStream(first);
  try {
    const { digests } = first.contents();
    const builder = new RunBuilder();
    for (let at = 0; at < digests.length; at += DIGEST_BYTES) {
      const digest = digests.subarray(at, at + DIGEST_BYTES);
      const block = (await stream.take(digest)) ?? (await readFromAny(digest, readers));
      if (block === undefined) {
        await shard.abandon();
        return undefined;
      }
      builder.add(Buffer.from(block.buffer, block.byteOffset, block.length));
      if (builder.length < RUN_BYTES) continue;
      signal.throwIfAborted();
      await write(shard, builder.take());
    }
    await write(shard, builder.take());
    const sealed = await shard.seal();
    if (sealed.cid !== cid) throw new Error(`the blocks of ${cid} make ${sealed.cid}`);
    return sealed;
  } catch (error) {
    await shard.abandon();
    throw error;
  } finally {
    await stream.end();
    for (const reader of readers) await reader.close();
  }
}

/** The blocks of one replica front to back, which is much faster than one by one; what it skips is for others to give. */
class BlockStream {
  readonly #blocks: AsyncIterator<ReadBlock>;
  #next: Promise<ReadBlock | undefined> | undefined;

  constructor(reader: ShardReader) {
    this.#blocks = reader.scan(() => {})[Symbol.asyncIterator]();
  }

  /** The block, if it is the next one. */
  async take(digest: Uint8Array): Promise<Uint8Array | undefined> {
    this.#next ??= this.#advance();
    const block = await this.#next;
    if (block === undefined || Buffer.compare(block.digest, digest) !== 0) return undefined;
    this.#next = undefined;
    return block.bytes;
  }

  async end(): Promise<void> {
    await this.#blocks.return?.();
  }

  /** A replica that breaks off gives nothing more. */
  async #advance(): Promise<ReadBlock | undefined> {
    const step = await orDamaged(this.#blocks.next());
    return step === undefined || step.done === true ? undefined : step.value;
  }
}

async function write(shard: OpenShard, run: Buffer): Promise<void> {
  for (const cursor = new SectionCursor(run); cursor.next(); ) shard.note(run, cursor.digestAt, cursor.end - cursor.dataAt);
  void shard.write(run);
  await shard.writable();
}

async function readFromAny(digest: Uint8Array, readers: readonly ShardReader[]): Promise<Uint8Array | undefined> {
  for (const reader of readers) {
    const block = await orDamaged(reader.read(digest));
    if (block !== undefined) return block;
  }
  return undefined;
}

/** Undefined when that replica cannot give it: another one may. */
async function orDamaged<T>(reading: Promise<T> | undefined): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (error instanceof ShardctlError && !isShortage(error)) return undefined;
    throw error;
  }
}
