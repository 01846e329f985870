/** Makes a whole CAR of a shard in the spool from what its replicas still have: each block from the first that gives it intact. */
import { DIGEST_BYTES, type PlacedShard } from '../../core/model.ts';
import { sameDigest } from '../../dag/cid.ts';
import type { Peer, ReadBlock, ShardReader } from '../../peer/peer.ts';
import { BatchBuilder } from '../../shard/batch.ts';
import { SectionCursor } from '../../shard/car.ts';
import { OpenShard, type PackedShard } from '../pack/open-shard.ts';
import { type Failures, Reading } from './failures.ts';

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
  /** Reads a block that no replica gives, and that may be in another shard; undefined when it cannot be had from there. */
  readonly elsewhere?: (digest: Uint8Array) => Promise<Uint8Array | undefined>;
  readonly signal: AbortSignal;
}

/** What the replicas have given, and what kept some from giving it. */
export interface Looked extends Failures {
  readonly isWhole: boolean;
  /** Digests of the blocks that nobody has given (32 bytes each), of a shard that is not whole; undefined when nobody has given even their list. */
  readonly lacking: Buffer | undefined;
}

export interface Rebuilt extends Looked {
  /** In the spool; undefined when it is not whole. */
  readonly shard: PackedShard | undefined;
}

export async function rebuild(placed: PlacedShard, options: RebuildOptions): Promise<Rebuilt> {
  const shard = new OpenShard(options.spool, options.number);
  const builder = new BatchBuilder();
  try {
    const looked = await eachBlock(placed, options, async (block) => {
      builder.add(Buffer.from(block.buffer, block.byteOffset, block.length));
      if (builder.length >= BATCH_BYTES) await write(shard, builder.take());
    });
    if (!looked.isWhole) {
      await shard.abandon();
      return { ...looked, shard: undefined };
    }
    await write(shard, builder.take());
    const sealed = await shard.seal();
    if (sealed.cid !== placed.cid) throw new Error(`the blocks of ${placed.cid} make ${sealed.cid}`);
    return { ...looked, shard: sealed };
  } catch (error) {
    await shard.abandon();
    throw error;
  }
}

/** Reads as `rebuild` does, and writes nothing. */
export async function lookForBlocks(placed: PlacedShard, options: LookOptions): Promise<Looked> {
  return await eachBlock(placed, options, async () => {});
}

/** Gives the blocks in shard order, until one is lacking. */
async function eachBlock(
  { cid }: PlacedShard,
  { from, elsewhere, signal }: LookOptions,
  take: (block: Uint8Array) => Promise<void>,
): Promise<Looked> {
  const replicas: Replica[] = [];
  const reading = new Reading();
  let stream: BlockStream | undefined;
  try {
    for (const peer of from) {
      const { name } = peer;
      const opened = await reading.of(name, peer.open(cid));
      const reader = opened ?? (reading.isUnknown(name) ? undefined : await reading.of(name, peer.salvage?.(cid)));
      if (reader !== undefined) replicas.push({ name, reader });
    }
    const digests = await digestsOf(replicas, reading);
    const [first] = replicas;
    if (first === undefined || digests === undefined) {
      reading.noteLack();
      return { isWhole: false, lacking: undefined, ...(await reading.failures(from)) };
    }
    stream = new BlockStream(first, reading);
    const lacking: Buffer[] = [];
    for (let at = 0; at < digests.length; at += DIGEST_BYTES) {
      signal.throwIfAborted();
      const digest = digests.subarray(at, at + DIGEST_BYTES);
      const block = (await stream.take(digest)) ?? (await readFromAny(digest, replicas, reading)) ?? (await elsewhere?.(digest));
      if (block === undefined) {
        reading.noteLack();
        lacking.push(digest);
        // The others are looked for all the same, so that all that are lacking are known.
      } else if (lacking.length === 0) await take(block);
    }
    const isWhole = lacking.length === 0;
    return { isWhole, lacking: isWhole ? undefined : Buffer.concat(lacking), ...(await reading.failures(from)) };
  } finally {
    await stream?.end();
    for (const { reader } of replicas) await reader.close();
  }
}

/** One that could be opened. */
interface Replica {
  /** Of its peer. */
  readonly name: string;
  readonly reader: ShardReader;
}

/** Digests of the shard's blocks, from the first replica whose manifest can be read. */
async function digestsOf(replicas: readonly Replica[], reading: Reading): Promise<Buffer | undefined> {
  for (const { name, reader } of replicas) {
    const contents = await reading.of(name, (async () => reader.contents())());
    if (contents !== undefined) return contents.digests;
  }
  return undefined;
}

/** Reads one replica front to back, which is much faster than block by block. The blocks that it skips are read from others. */
class BlockStream {
  readonly #blocks: AsyncIterator<ReadBlock>;
  readonly #name: string;
  readonly #reading: Reading;
  #next: Promise<ReadBlock | undefined> | undefined;
  #hasFailed = false;

  constructor({ name, reader }: Replica, reading: Reading) {
    this.#name = name;
    this.#reading = reading;
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
    if (this.#hasFailed) return undefined;
    const step = await this.#reading.of(this.#name, this.#blocks.next());
    this.#hasFailed = step === undefined;
    return step === undefined || step.done === true ? undefined : step.value;
  }
}

async function write(shard: OpenShard, batch: Buffer): Promise<void> {
  for (const cursor = new SectionCursor(batch); cursor.next(); ) shard.note(batch, cursor.digestAt, cursor.end - cursor.dataAt);
  void shard.write(batch);
  await shard.writable();
}

async function readFromAny(digest: Uint8Array, replicas: readonly Replica[], reading: Reading): Promise<Uint8Array | undefined> {
  for (const { name, reader } of replicas) {
    if (reading.isLeftOut(name)) continue;
    const block = await reading.of(name, reader.read(digest));
    if (block !== undefined) return block;
  }
  return undefined;
}
