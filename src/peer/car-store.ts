/**
 * Layout `car`: one CARv1 file a shard, `shards/<fan-out>/<cid>.car`. Written at disk speed, and `ipfs dag import` takes
 * each as it is. A CAR gets its name only when it is complete and flushed, so a name is a pin.
 */
import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { copyFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { makeDirectory, syncPath } from '../durable.ts';
import { errnoOf } from '../errors.ts';
import { openCar } from './car-reader.ts';
import { checkCar } from './check-car.ts';
import type { SealedShard, ShardReader } from './peer.ts';
import { isShardName, shardName } from './shard-name.ts';
import type { ShardStore, StorePut } from './store.ts';

const EXTENSION = '.car';
/** A file in `tmp` that nobody has written to for this long belongs to no run that is alive. */
const ABANDONED_MS = 10 * 60 * 1000;

export class CarStore implements ShardStore {
  readonly #path: string;
  #used: Promise<number> | undefined;
  #swept: Promise<void> | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  usedBytes(): Promise<number> {
    this.#used ??= this.#sumSizes();
    return this.#used;
  }

  async sizeOf(cid: string): Promise<number | undefined> {
    try {
      return (await stat(this.#pathOf(cid))).size;
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return undefined;
      throw error;
    }
  }

  async put(shard: SealedShard, { mayConsume, signal, beforeCopy }: StorePut): Promise<void> {
    const path = this.#pathOf(shard.cid);
    await this.usedBytes();
    const replaced = (await this.sizeOf(shard.cid)) ?? 0;
    await makeDirectory(dirname(path));
    await checkCar(shard.carPath, shard);
    if (!mayConsume || !(await moveInto(shard.carPath, path))) {
      await beforeCopy();
      await this.#copyInto(shard, path, signal);
    }
    await syncPath(dirname(path));
    this.#addUsed(shard.carBytes - replaced);
  }

  flush(cid: string): Promise<void> {
    return syncPath(dirname(this.#pathOf(cid)));
  }

  open(cid: string): Promise<ShardReader> {
    return openCar(this.#pathOf(cid), cid);
  }

  async *list(): AsyncIterable<string> {
    for (const folder of (await readdir(join(this.#path, 'shards'))).sort()) {
      for (const file of (await readdir(join(this.#path, 'shards', folder))).sort()) {
        const cid = file.slice(0, -EXTENSION.length);
        if (file.endsWith(EXTENSION) && isShardName(cid)) yield cid;
      }
    }
  }

  async remove(cid: string): Promise<void> {
    const path = this.#pathOf(cid);
    await this.usedBytes();
    const bytes = await this.sizeOf(cid);
    if (bytes === undefined) return;
    await rm(path, { force: true });
    await syncPath(dirname(path));
    this.#addUsed(-bytes);
  }

  /** As flatfs: the last character of a CID has only eight values, the two before it spread evenly. */
  #pathOf(cid: string): string {
    return join(this.#path, 'shards', shardName(cid).slice(-3, -1), `${cid}${EXTENSION}`);
  }

  async #copyInto(shard: SealedShard, path: string, signal: AbortSignal): Promise<void> {
    this.#swept ??= sweep(join(this.#path, 'tmp'));
    await this.#swept;
    const temporary = join(this.#path, 'tmp', `${randomUUID()}${EXTENSION}`);
    try {
      // A reflink where the filesystem can, else copied inside the kernel.
      await copyFile(shard.carPath, temporary, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
      signal.throwIfAborted();
      await syncPath(temporary);
      await checkCar(temporary, shard);
      await rename(temporary, path);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  }

  async #sumSizes(): Promise<number> {
    let bytes = 0;
    for await (const cid of this.list()) bytes += (await this.sizeOf(cid)) ?? 0;
    return bytes;
  }

  /** Chained, not awaited: two puts at once must both be counted. */
  #addUsed(bytes: number): void {
    this.#used = this.usedBytes().then((used) => used + bytes);
  }
}

/** Moves the CAR if it is on the same filesystem. Flushed first: a name must never appear before its content. */
async function moveInto(carPath: string, path: string): Promise<boolean> {
  try {
    await syncPath(carPath);
    await rename(carPath, path);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'EXDEV') return false;
    throw error;
  }
}

/**
 * Removes what runs that died have left in `tmp`. Another home may be writing here at this moment: what was written to
 * lately stays, by the clock of the filesystem, which alone is the same for both.
 */
async function sweep(folder: string): Promise<void> {
  const probe = join(folder, randomUUID());
  await writeFile(probe, '');
  const { mtimeMs: now } = await stat(probe);
  await rm(probe);
  for (const file of await readdir(folder)) {
    const path = join(folder, file);
    const written = (await stat(path).catch(() => undefined))?.mtimeMs ?? now;
    if (now - written > ABANDONED_MS) await rm(path, { force: true });
  }
}
