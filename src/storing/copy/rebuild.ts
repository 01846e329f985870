/** Makes a whole CAR of a shard in the spool from what its replicas still have: each block from the first that gives it intact. */
import { isShortage, ShardctlError } from '../../core/errors.ts';
import { DIGEST_BYTES, type PlacedShard } from '../../core/model.ts';
import { sameDigest } from '../../dag/cid.ts';
import type { Peer, ReadBlock, ShardReader } from '../../peer/peer.ts';
import { BatchBuilder } from '../../shard/batch.ts';
import { SectionCursor } from '../../shard/car.ts';
import { OpenShard, type PackedShard } from '../pack/open-shard.ts';

/** Blocks are gathered into batches of this size. */
const BATCH_BYTES = 256 * 1024;

export interface RebuildOptions extends LookOptions {
  /** Where the CAR goes, and under what number. */
  readonly spool: string;
  readonly number: number;
}

export interface LookOptions {
  /** Peers with a replica; those whose replica was found good come first. */
  readonly from: readonly Peer[];
  /** Reads a block that no replica gives, and that may be in another shard. */
  readonly elsewhere?: (digest: Uint8Array) => Promise<Uint8Array>;
  readonly signal: AbortSignal;
}

/**
 * The whole shard in the spool; or digests of the blocks that nobody has (32 bytes each); or `unknown`, when nobody has even the list of
 * its blocks.
 */
export type Rebuilt =
  | { readonly kind: 'whole'; readonly shard: PackedShard }
  | { readonly kind: 'lacking'; readonly digests: Buffer }
  | { readonly kind: 'unknown' };

export async function rebuild(placed: PlacedShard, options: RebuildOptions): Promise<Rebuilt> {
  const shard = new OpenShard(options.spool, options.number);
  const builder = new BatchBuilder();
  try {
    const lacking = await eachBlock(placed, options, async (block) => {
      builder.add(Buffer.from(block.buffer, block.byteOffset, block.length));
      if (builder.length >= BATCH_BYTES) await write(shard, builder.take());
    });
    if (lacking === undefined || lacking.length > 0) {
      await shard.abandon();
      return lacking === undefined ? { kind: 'unknown' } : { kind: 'lacking', digests: lacking };
    }
    await write(shard, builder.take());
    const sealed = await shard.seal();
    if (sealed.cid !== placed.cid) throw new Error(`the blocks of ${placed.cid} make ${sealed.cid}`);
    return { kind: 'whole', shard: sealed };
  } catch (error) {
    await shard.abandon();
    throw error;
  }
}

/** Reads as `rebuild` does, and writes nothing. @returns what it would come to, with digests of the blocks that are lacking */
export async function lookForBlocks(placed: PlacedShard, options: LookOptions): Promise<'whole' | 'unknown' | Buffer> {
  const lacking = await eachBlock(placed, options, async () => {});
  if (lacking === undefined) return 'unknown';
  return lacking.length === 0 ? 'whole' : lacking;
}

/**
 * Gives the blocks in shard order, until one is lacking.
 * @returns digests of all blocks that nobody has; undefined when nobody has a list of the shard's blocks
 */
async function eachBlock(
  { cid }: PlacedShard,
  { from, elsewhere, signal }: LookOptions,
  take: (block: Uint8Array) => Promise<void>,
): Promise<Buffer | undefined> {
  const readers: ShardReader[] = [];
  let stream: BlockStream | undefined;
  try {
    for (const peer of from) {
      const reader = (await orDamaged(peer.open(cid))) ?? (await orDamaged(peer.salvage?.(cid)));
      if (reader !== undefined) readers.push(reader);
    }
    const digests = await digestsOf(readers);
    const [first] = readers;
    if (first === undefined || digests === undefined) return undefined;
    stream = new BlockStream(first);
    const lacking: Buffer[] = [];
    for (let at = 0; at < digests.length; at += DIGEST_BYTES) {
      signal.throwIfAborted();
      const digest = digests.subarray(at, at + DIGEST_BYTES);
      const block = (await stream.take(digest)) ?? (await readFromAny(digest, readers)) ?? (await orDamaged(elsewhere?.(digest)));
      if (block === undefined) lacking.push(digest);
      // The others are looked for all the same, so that all that are lacking are known.
      else if (lacking.length === 0) await take(block);
    }
    return Buffer.concat(lacking);
  } finally {
    await stream?.end();
    for (const reader of readers) await reader.close();
  }
}

/** Digests of the shard's blocks, from the first replica whose manifest can be read. */
async function digestsOf(readers: readonly ShardReader[]): Promise<Buffer | undefined> {
  for (const reader of readers) {
    const contents = await orDamaged((async () => reader.contents())());
    if (contents !== undefined) return contents.digests;
  }
  return undefined;
}

/** Reads one replica front to back, which is much faster than block by block. The blocks that it skips are read from others. */
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
    if (block === undefined || !sameDigest(block.digest, digest)) return undefined;
    this.#next = undefined;
    return block.bytes;
  }

  async end(): Promise<void> {
    await this.#blocks.return?.();
  }

  /** The next block; none after the replica has failed. */
  async #advance(): Promise<ReadBlock | undefined> {
    const step = await orDamaged(this.#blocks.next());
    return step === undefined || step.done === true ? undefined : step.value;
  }
}

async function write(shard: OpenShard, batch: Buffer): Promise<void> {
  for (const cursor = new SectionCursor(batch); cursor.next(); ) shard.note(batch, cursor.digestAt, cursor.end - cursor.dataAt);
  void shard.write(batch);
  await shard.writable();
}

async function readFromAny(digest: Uint8Array, readers: readonly ShardReader[]): Promise<Uint8Array | undefined> {
  for (const reader of readers) {
    const block = await orDamaged(reader.read(digest));
    if (block !== undefined) return block;
  }
  return undefined;
}

/** Undefined when this replica cannot give it; another one may. */
async function orDamaged<T>(reading: Promise<T> | undefined): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (error instanceof ShardctlError && !isShortage(error)) return undefined;
    throw error;
  }
}
