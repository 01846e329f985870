/**
 * The block files of layout `blockstore`, on blockstore-fs, which names them by multihash. So a block that was stored as a raw leaf is
 * also found under its own CID, and a block that two shards share is there once. blockstore-fs names the files. They are read directly,
 * because the library opens a stream for each block, and written directly, because it writes first to a name that is known before, of which
 * whoever shares the peer could make a symlink or a FIFO.
 *
 * A block that is about to be deleted is put aside first, where reads still find it, so that it can be put back.
 */
import { randomUUID } from 'node:crypto';
import { mkdir, open, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { NextToLast } from 'blockstore-fs/sharding';
import { CID } from 'multiformats/cid';
import { create as createDigest } from 'multiformats/hashes/digest';
import { BoundedQueue } from '../../../core/bounded-queue.ts';
import { makeDirectory, syncPath } from '../../../core/durable-files.ts';
import { errnoOf, ioError, ShardctlError } from '../../../core/errors.ts';
import { loadLibc } from '../../../core/libc.ts';
import { type Codec, RAW } from '../../../core/model.ts';
import { readRegular } from '../../../core/regular-files.ts';
import { removeFile } from '../../../core/remove-file.ts';
import { blockText, hashesTo } from '../../../dag/cid.ts';
import { MAX_BLOCK_BYTES } from '../../../shard/car.ts';
import { sectionsOf } from '../../../shard/car-stream.ts';
import type { SealedShard, Throttle } from '../../peer.ts';
import { sweepTemporary } from '../directory/temporary-files.ts';
import { ifThere, namesIn, renameAway, renameIfFree, renameIfThere, sizeAt } from '../directory/vanishing-files.ts';

const SHA2_256 = 0x12;
/** Files that are handled side by side: creating a file waits for one of four threads of Node's pool, not for the disk. */
const FILES_AT_ONCE = 16;

export interface WriteOptions {
  readonly signal: AbortSignal;
  readonly throttle?: Throttle | undefined;
}

export class BlockFiles {
  readonly #folder: string;
  readonly #aside: string;
  readonly #temporary: string;
  readonly #naming = new NextToLast();
  #swept: Promise<void> | undefined;

  /** @param path of the peer */
  constructor(path: string) {
    this.#folder = join(path, 'blocks');
    this.#aside = join(path, 'leaving');
    this.#temporary = join(path, 'tmp');
  }

  /** Writes every block of a CAR, those that are there already too. Durable when it resolves. */
  async write(shard: SealedShard, { signal, throttle }: WriteOptions): Promise<void> {
    await this.#sweep();
    for await (const sections of sectionsOf(shard.carPath)) {
      signal.throwIfAborted();
      await throttle?.(sections.reduce((sum, { data }) => sum + data.length, 0));
      for (const { digest, data } of sections) {
        if (!hashesTo(data, digest)) {
          throw new ShardctlError('DAMAGE', `block ${blockText(digest)} of ${shard.carPath} does not have its hash`);
        }
      }
      await this.#each(sections, ({ digest, data }) => this.#write(digest, data));
    }
    await this.#flush(shard);
  }

  /** The block, hashed; undefined when it is not here. Looked for a second time in its place, where it may have been put back meanwhile. */
  async read(digest: Uint8Array): Promise<Uint8Array | undefined> {
    const path = this.#pathOf(digest);
    let bytes: Buffer | undefined;
    try {
      bytes = (await blockAt(path)) ?? (await blockAt(this.#asideOf(digest))) ?? (await blockAt(path));
    } catch (error) {
      throw ioError(error, 'reading a block', path);
    }
    if (bytes === undefined) return undefined;
    if (!hashesTo(bytes, digest)) throw new ShardctlError('DAMAGE', `${path} does not have its hash`);
    return bytes;
  }

  /** Puts back those of the blocks that were put aside. @returns whether all of them are in their place now */
  async restore(digests: Iterable<Uint8Array>): Promise<boolean> {
    const lost: Uint8Array[] = [];
    const folders = new Set<string>();
    await this.#each(digests, async (digest) => {
      const path = this.#pathOf(digest);
      if (await isBlockAt(path)) return;
      if (await renameIfFree(this.#asideOf(digest), path)) folders.add(dirname(path));
      // The process that had put it aside may have put it back in this moment.
      else if (!(await isBlockAt(path))) lost.push(digest);
    });
    for (const folder of folders) await syncPath(folder);
    return lost.length === 0;
  }

  /** Moves blocks out of their place. One that is not there is a success. */
  async putAside(digests: Iterable<Uint8Array>): Promise<void> {
    await makeDirectory(this.#aside);
    await this.#each(digests, async (digest) => void (await renameAway(this.#pathOf(digest), this.#asideOf(digest))));
  }

  /** Deletes blocks that were put aside. */
  async discard(digests: Iterable<Uint8Array>): Promise<void> {
    await this.#each(digests, (digest) => removeFile(this.#asideOf(digest)));
  }

  /** Puts back every block, for when nobody knows which of them were to be deleted. */
  async restoreAll(): Promise<void> {
    for (const name of await namesIn(this.#aside)) {
      const digest = this.#digestIn(name);
      if (digest === undefined) continue;
      await this.restore([digest]);
      await removeFile(join(this.#aside, name));
    }
  }

  async #write(digest: Uint8Array, data: Uint8Array): Promise<void> {
    const path = this.#pathOf(digest);
    const fresh = join(this.#temporary, randomUUID());
    try {
      await writeFile(fresh, data, { flag: 'wx' });
      if (await renameIfThere(fresh, path)) return;
      // The directory is made with the first block that belongs into it.
      await mkdir(dirname(path)).catch(unlessThere);
      await rename(fresh, path);
    } catch (error) {
      await removeFile(fresh);
      throw error;
    }
  }

  /** What dead runs have left of the blocks that they were writing. */
  async #sweep(): Promise<void> {
    await makeDirectory(this.#temporary);
    this.#swept ??= sweepTemporary(this.#temporary, async () => false);
    await this.#swept.catch((error: unknown) => {
      this.#swept = undefined;
      throw error;
    });
  }

  /** No block was flushed yet. One flush of the whole file system costs less than one a block. */
  async #flush(shard: SealedShard): Promise<void> {
    const libc = await loadLibc();
    const folder = await open(this.#folder, 'r');
    try {
      if (libc?.syncFilesystem?.(folder.fd) === 0) return;
    } finally {
      await folder.close();
    }
    const folders = new Set<string>([this.#folder]);
    for await (const sections of sectionsOf(shard.carPath)) {
      for (const { digest } of sections) {
        const path = this.#pathOf(digest);
        await syncPath(path);
        folders.add(dirname(path));
      }
    }
    for (const path of folders) await syncPath(path);
  }

  #pathOf(digest: Uint8Array): string {
    const { dir, file } = this.#naming.encode(toCid(RAW, digest));
    return join(this.#folder, dir, file);
  }

  /** Undefined when a file of this name is not ours. */
  #digestIn(name: string): Uint8Array | undefined {
    try {
      return this.#naming.decode(name).multihash.digest;
    } catch {
      return undefined;
    }
  }

  #asideOf(digest: Uint8Array): string {
    return join(this.#aside, this.#naming.encode(toCid(RAW, digest)).file);
  }

  async #each<T>(items: Iterable<T>, work: (item: T) => Promise<void>): Promise<void> {
    const queue = new BoundedQueue(FILES_AT_ONCE, 2 * FILES_AT_ONCE);
    for (const item of items) await queue.add(() => work(item));
    await queue.drained();
  }
}

function toCid(codec: Codec, digest: Uint8Array): CID {
  return CID.createV1(codec, createDigest(SHA2_256, digest));
}

/** The bytes of a block's file; undefined when there is none, whatever else may stand in its place. */
async function blockAt(path: string): Promise<Buffer | undefined> {
  // A longer file is no block: what is read of it does not have the hash.
  return await ifThere(readRegular(path, MAX_BLOCK_BYTES + 1));
}

async function isBlockAt(path: string): Promise<boolean> {
  return (await sizeAt(path)) !== undefined;
}

/** Another write has made the directory meanwhile. */
function unlessThere(error: unknown): void {
  if (errnoOf(error) !== 'EEXIST') throw error;
}
