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
  /** What no replica gives may be in another shard. */
  readonly elsewhere?: (digest: Uint8Array) => Promise<Uint8Array>;
  readonly signal: AbortSignal;
}

/** What came of it: the shard in the spool, the blocks that nobody has (32 bytes each), or not even a list of its blocks. */
export type Rebuilt =
  | { readonly kind: 'whole'; readonly shard: SpooledShard }
  | { readonly kind: 'lacking'; readonly digests: Buffer }
  | { readonly kind: 'unknown' };

export async function rebuild({ cid }: PlacedShard, options: RebuildOptions): Promise<Rebuilt> {
  const { spool, number, from, elsewhere, signal } = options;
  const readers: ShardReader[] = [];
  for (const peer of from) {
    const reader = (await orDamaged(peer.open(cid))) ?? (await orDamaged(peer.salvage?.(cid)));
    if (reader !== undefined) readers.push(reader);
  }
  const digests = await digestsOf(readers);
  const [first] = readers;
  if (first === undefined || digests === undefined) {
    for (const reader of readers) await reader.close();
    return { kind: 'unknown' };
  }
  const shard = new OpenShard(spool, number);
  const stream = new BlockStream(first);
  const lacking: Buffer[] = [];
  try {
    const builder = new RunBuilder();
    for (let at = 0; at < digests.length; at += DIGEST_BYTES) {
      const digest = digests.subarray(at, at + DIGEST_BYTES);
      const block = (await stream.take(digest)) ?? (await readFromAny(digest, readers)) ?? (await orDamaged(elsewhere?.(digest)));
      if (block === undefined) lacking.push(digest);
      // The others are looked for all the same: what is lacking is to be known in full.
      if (block === undefined || lacking.length > 0) continue;
      builder.add(Buffer.from(block.buffer, block.byteOffset, block.length));
      if (builder.length < RUN_BYTES) continue;
      signal.throwIfAborted();
      await write(shard, builder.take());
    }
    if (lacking.length > 0) {
      await shard.abandon();
      return { kind: 'lacking', digests: Buffer.concat(lacking) };
    }
    await write(shard, builder.take());
    const sealed = await shard.seal();
    if (sealed.cid !== cid) throw new Error(`the blocks of ${cid} make ${sealed.cid}`);
    return { kind: 'whole', shard: sealed };
  } catch (error) {
    await shard.abandon();
    throw error;
  } finally {
    await stream.end();
    for (const reader of readers) await reader.close();
  }
}

/** What the shard holds, from the first of its replicas that knows it. */
async function digestsOf(readers: readonly ShardReader[]): Promise<Buffer | undefined> {
  for (const reader of readers) {
    const contents = await orDamaged((async () => reader.contents())());
    if (contents !== undefined) return contents.digests;
  }
  return undefined;
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
