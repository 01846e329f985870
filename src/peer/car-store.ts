/**
 * Layout `car`: one CARv1 file a shard, `shards/<fan-out>/<cid>.car`. Written at disk speed, and `ipfs dag import` takes
 * each as it is. A CAR gets its name only when it is complete and flushed, so a name is a pin.
 *
 * What writes and reads CARs is loaded when it is needed: an update that finds nothing to do only lists them.
 */
import { readdir, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { makeDirectory, syncPath } from '../durable.ts';
import { errnoOf } from '../errors.ts';
import type { SealedShard, ShardReader } from './peer.ts';
import { isShardName, shardName } from './shard-name.ts';
import type { ShardStore, StorePut } from './store.ts';

const EXTENSION = '.car';

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

  async put(shard: SealedShard, { mayConsume, signal, throttle, beforeCopy }: StorePut): Promise<void> {
    const path = this.#pathOf(shard.cid);
    await this.usedBytes();
    const replaced = (await this.sizeOf(shard.cid)) ?? 0;
    await makeDirectory(dirname(path));
    const [{ copyCar, moveCar, sweepTemporary }, { checkCar }] = await Promise.all([import('./car-put.ts'), import('./check-car.ts')]);
    await checkCar(shard.carPath, shard);
    if (!mayConsume || !(await moveCar(shard.carPath, path))) {
      await beforeCopy();
      const temporary = join(this.#path, 'tmp');
      this.#swept ??= sweepTemporary(temporary);
      await this.#swept;
      await copyCar(shard, { temporary, path, signal, throttle });
    }
    await syncPath(dirname(path));
    this.#addUsed(shard.carBytes - replaced);
  }

  flush(cid: string): Promise<void> {
    return syncPath(dirname(this.#pathOf(cid)));
  }

  async open(cid: string): Promise<ShardReader> {
    const { openCar } = await import('./car-reader.ts');
    return await openCar(this.#pathOf(cid), cid);
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
