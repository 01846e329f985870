/**
 * Layout `blockstore`: `blocks/` is a blockstore-fs directory with its defaults, which Helia or the library itself opens;
 * `pins/<cid>` says which shards it holds. Sole owner of blockstore-fs. Its files are named by multihash, so a block
 * stored under its raw alias is found under its real CID too, and one that two shards share is there once.
 */
import { open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { FsBlockstore } from 'blockstore-fs';
import { NextToLast } from 'blockstore-fs/sharding';
import { CID } from 'multiformats/cid';
import { create as createDigest } from 'multiformats/hashes/digest';
import { cidText, parseCid, sha256 } from '../dag/cid.ts';
import { DigestMap } from '../digest-map.ts';
import { syncPath, writeDurably } from '../durable.ts';
import { errnoOf, ioError, ShardctlError } from '../errors.ts';
import { BoundedQueue } from '../flow.ts';
import { loadLibc } from '../libc.ts';
import { type Codec, DIGEST_BYTES, RAW } from '../model.ts';
import { sectionsOf } from '../shard/car-stream.ts';
import { contentsOf, type Manifest, readManifest } from '../shard/manifest.ts';
import type { ReadBlock, SealedShard, ShardContents, ShardReader } from './peer.ts';
import { isShardName, shardName } from './shard-name.ts';
import type { ShardStore, StorePut } from './store.ts';

const SHA2_256 = 0x12;
/** Files written side by side: creating one waits for four threads of the pool, not for the disk. */
const PUTS_AT_ONCE = 16;
/** A pin whose blocks are being deleted. */
const REMOVING = '.removing';

interface Pin {
  readonly blocks: number;
  readonly carBytes: number;
}

export class BlockStore implements ShardStore {
  readonly #blocks: string;
  readonly #pins: string;
  readonly #store: FsBlockstore;
  readonly #naming = new NextToLast();
  #used: Promise<number> | undefined;
  /** One change at a time: a removal must not take a block that a put counts on. */
  #changes: Promise<unknown>;

  constructor(path: string) {
    this.#blocks = join(path, 'blocks');
    this.#pins = join(path, 'pins');
    this.#store = new FsBlockstore(this.#blocks, { createIfMissing: false });
    this.#changes = Promise.resolve();
  }

  /** Sum of the pinned shards' CARs: a block that two of them share counts twice, and what a filesystem adds to a small file does not. */
  usedBytes(): Promise<number> {
    this.#used ??= this.#sumSizes();
    return this.#used;
  }

  async sizeOf(cid: string): Promise<number | undefined> {
    try {
      return parsePin(await readFile(this.#pinOf(cid), 'utf8'))?.carBytes;
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return undefined;
      throw error;
    }
  }

  put(shard: SealedShard, { beforeCopy, ...how }: StorePut): Promise<void> {
    return this.#alone(async () => {
      await this.usedBytes();
      await beforeCopy();
      await this.#finishRemovals();
      await this.#writeBlocks(shard, how);
      await this.#flush(shard);
      // The blocks are judged as they will be read: from here on the pin says that they are all here.
      const { lengths } = await this.#manifestOf(shard.cid);
      if (lengths.length !== shard.blocks) {
        throw new ShardctlError('DAMAGE', `${shard.carPath} lists ${lengths.length} blocks, not ${shard.blocks} (${shard.label})`);
      }
      const replaced = (await this.sizeOf(shard.cid)) ?? 0;
      const pin: Pin = { blocks: shard.blocks, carBytes: shard.carBytes };
      await writeDurably(this.#pinOf(shard.cid), `${JSON.stringify(pin)}\n`);
      this.#addUsed(shard.carBytes - replaced);
    });
  }

  flush(): Promise<void> {
    return syncPath(this.#pins);
  }

  async open(cid: string): Promise<ShardReader> {
    if ((await this.sizeOf(cid)) === undefined) throw new ShardctlError('NOT_FOUND', `shard ${cid} is not here (${this.#pinOf(cid)})`);
    return new BlockShardReader(cid, await this.#manifestOf(cid), (digest) => this.#read(digest));
  }

  async *list(): AsyncIterable<string> {
    for (const name of (await readdir(this.#pins)).sort()) {
      if (isShardName(name)) yield name;
    }
  }

  remove(cid: string): Promise<void> {
    return this.#alone(async () => {
      await this.usedBytes();
      const bytes = await this.sizeOf(cid);
      if (bytes !== undefined) {
        await rename(this.#pinOf(cid), this.#pinOf(cid) + REMOVING);
        await syncPath(this.#pins);
        this.#addUsed(-bytes);
      }
      await this.#finishRemovals();
    });
  }

  async #writeBlocks(shard: SealedShard, { signal, throttle }: Pick<StorePut, 'signal' | 'throttle'>): Promise<void> {
    for await (const sections of sectionsOf(shard.carPath)) {
      signal.throwIfAborted();
      await throttle?.(sections.reduce((sum, { data }) => sum + data.length, 0));
      for (const { digest, data } of sections) {
        if (Buffer.compare(sha256(data), digest) !== 0) {
          throw new ShardctlError('DAMAGE', `block ${cidText({ codec: RAW, digest }, 1)} of ${shard.carPath} does not have its hash`);
        }
      }
      const puts = new BoundedQueue(PUTS_AT_ONCE, 2 * PUTS_AT_ONCE);
      for (const { codec, digest, data } of sections) await puts.add(() => this.#write(toCid(codec, digest), data));
      await puts.drained();
    }
  }

  async #write(cid: CID, data: Uint8Array): Promise<void> {
    try {
      await this.#store.put(cid, data);
    } catch (error) {
      throw errnoInside(error);
    }
  }

  /** blockstore-fs renames into place but never flushes: one flush of the filesystem costs less than one a block. */
  async #flush(shard: SealedShard): Promise<void> {
    const libc = await loadLibc();
    const folder = await open(this.#blocks, 'r');
    try {
      if (libc?.syncFilesystem?.(folder.fd) === 0) return;
    } finally {
      await folder.close();
    }
    const folders = new Set<string>([this.#blocks]);
    for await (const sections of sectionsOf(shard.carPath)) {
      for (const { digest } of sections) {
        const { dir, file } = this.#naming.encode(toCid(RAW, digest));
        await syncPath(join(this.#blocks, dir, file));
        folders.add(join(this.#blocks, dir));
      }
    }
    for (const path of folders) await syncPath(path);
  }

  /** Deletes the blocks of removed shards that no pinned one needs; also those of a run that died in between. */
  async #finishRemovals(): Promise<void> {
    for (const name of await readdir(this.#pins)) {
      if (!name.endsWith(REMOVING) || !isShardName(name.slice(0, -REMOVING.length))) continue;
      await this.#deleteBlocksOf(name.slice(0, -REMOVING.length));
      await rm(join(this.#pins, name), { force: true });
    }
  }

  async #deleteBlocksOf(cid: string): Promise<void> {
    const needed = new DigestMap();
    let removed: Manifest;
    try {
      removed = await this.#manifestOf(cid);
      for await (const other of this.list()) {
        const { blocks, nodes } = await this.#manifestOf(other);
        for (const digest of digestsOf(blocks, nodes)) needed.add(digest, 0, 0);
      }
    } catch (error) {
      // Without all manifests nobody knows what is still needed: rather leave too much than delete too much.
      if (error instanceof ShardctlError && error.code === 'DAMAGE') return;
      throw error;
    }
    for (const digest of digestsOf(removed.blocks, removed.nodes)) {
      if (needed.get(digest) === undefined) await this.#store.delete(toCid(RAW, digest));
    }
  }

  #manifestOf(cid: string): Promise<Manifest> {
    return readManifest(parseCid(cid), (digest) => this.#read(digest));
  }

  /** The block, hashed; undefined when it is not here. Read directly: the library opens a stream for each block. */
  async #read(digest: Uint8Array): Promise<Uint8Array | undefined> {
    const { dir, file } = this.#naming.encode(toCid(RAW, digest));
    const path = join(this.#blocks, dir, file);
    let bytes: Buffer;
    try {
      bytes = await readFile(path);
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return undefined;
      throw ioError(error, 'reading a block', path);
    }
    if (Buffer.compare(sha256(bytes), digest) !== 0) throw new ShardctlError('DAMAGE', `${path} does not have its hash`);
    return bytes;
  }

  #pinOf(cid: string): string {
    return join(this.#pins, shardName(cid));
  }

  async #sumSizes(): Promise<number> {
    let bytes = 0;
    for await (const cid of this.list()) bytes += (await this.sizeOf(cid)) ?? 0;
    return bytes;
  }

  #addUsed(bytes: number): void {
    this.#used = this.usedBytes().then((used) => used + bytes);
  }

  #alone(change: () => Promise<void>): Promise<void> {
    const result = this.#changes.then(change);
    this.#changes = result.catch(() => {});
    return result;
  }
}

class BlockShardReader implements ShardReader {
  readonly #cid: string;
  readonly #manifest: Manifest;
  readonly #load: (digest: Uint8Array) => Promise<Uint8Array | undefined>;

  constructor(cid: string, manifest: Manifest, load: (digest: Uint8Array) => Promise<Uint8Array | undefined>) {
    this.#cid = cid;
    this.#manifest = manifest;
    this.#load = load;
  }

  get blocks(): number {
    return this.#manifest.lengths.length;
  }

  contents(): ShardContents {
    return contentsOf(this.#manifest);
  }

  async read(digest: Uint8Array): Promise<Uint8Array | undefined> {
    if (this.#manifest.blocks.get(digest) === undefined) return undefined;
    const bytes = await this.#load(digest);
    if (bytes === undefined)
      throw new ShardctlError('DAMAGE', `block ${cidText({ codec: RAW, digest }, 1)} of shard ${this.#cid} is missing`);
    return bytes;
  }

  async *scan(onDamage: (detail: string) => void): AsyncIterable<ReadBlock> {
    for (const digest of digestsOf(this.#manifest.blocks)) {
      const bytes = await this.read(digest).catch((error: unknown) => {
        if (!(error instanceof ShardctlError) || error.code !== 'DAMAGE') throw error;
        onDamage(error.message);
      });
      if (bytes !== undefined) yield { digest, bytes };
    }
  }

  async close(): Promise<void> {}
}

function* digestsOf(...maps: readonly DigestMap[]): Iterable<Uint8Array> {
  for (const map of maps) {
    const digests = map.digests();
    for (let at = 0; at < digests.length; at += DIGEST_BYTES) yield digests.subarray(at, at + DIGEST_BYTES);
  }
}

function toCid(codec: Codec, digest: Uint8Array): CID {
  return CID.createV1(codec, createDigest(SHA2_256, digest));
}

function parsePin(text: string): Pin | undefined {
  try {
    const { carBytes } = JSON.parse(text) as Partial<Pin>;
    return typeof carBytes === 'number' ? (JSON.parse(text) as Pin) : undefined;
  } catch {
    return undefined;
  }
}

/** blockstore-fs gives its failures as text alone: the errno stands in it. */
function errnoInside(error: unknown): unknown {
  const errno = error instanceof Error ? /\b(E[A-Z]{2,}): /.exec(error.message)?.[1] : undefined;
  return errno === undefined ? error : Object.assign(new Error((error as Error).message, { cause: error }), { code: errno });
}
