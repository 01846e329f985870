/**
 * Layout `car`: one CARv1 file a shard, `shards/<fan-out>/<cid>.car`. It is written at disk speed, and `ipfs dag import` takes each
 * file as it is. A CAR gets its name only when it is complete and flushed, so the name serves as the pin.
 *
 * The modules that write and read CARs are loaded when they are needed: an update that finds nothing to do only lists the shards.
 */
import { randomUUID } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { makeDirectory, syncPath } from '../../../core/durable-files.ts';
import { ShardctlError } from '../../../core/errors.ts';
import { Turns } from '../../../core/event-loop.ts';
import { removeFile } from '../../../core/remove-file.ts';
import type { SealedShard, ShardReader } from '../../peer.ts';
import { isShardName, shardName } from '../../shard-name.ts';
import type { MarkFiles } from '../directory/mark-files.ts';
import { ownFoldersOf } from '../directory/own-folders.ts';
import type { ShardStore, StorePut } from '../directory/shard-store.ts';
import { UsedBytes } from '../directory/used-bytes.ts';
import { filesInEach, namesIn, renameIfFree, renameIfThere, sizeAt, sizeIfThere } from '../directory/vanishing-files.ts';
import type { Glances } from './car-glance.ts';

const EXTENSION = '.car';
/** Folders as `#pathOf` names them; anything else in `shards` is not ours. */
const FAN_OUT = /^[a-z2-7]{2}$/;
/** A shard that is being removed has this name in `tmp`: `leaving.<cid>.<random>`. */
const LEAVING = 'leaving.';

export class CarStore implements ShardStore {
  readonly #path: string;
  readonly #marks: MarkFiles;
  readonly #used = new UsedBytes(this);
  #swept: Promise<void> | undefined;
  /** Whether the main thread may ask for what is in a folder, as it was when the shards were listed the last time. */
  #isOwn: (folder: string) => boolean = () => false;
  #glances: Glances | undefined;

  constructor(path: string, marks: MarkFiles) {
    this.#path = path;
    this.#marks = marks;
  }

  usedBytes(isAnew = false): Promise<number> {
    return this.#used.get(isAnew);
  }

  async sizeOf(cid: string): Promise<number | undefined> {
    const path = this.#pathOf(cid);
    return (await sizeAt(path)) ?? ((await this.#bringBack(cid)) ? await sizeAt(path) : undefined);
  }

  sizeNow(cid: string): number | undefined {
    const path = this.#pathOf(cid);
    return this.#isOwn(dirname(path)) ? sizeIfThere(path) : undefined;
  }

  async put(shard: SealedShard, { mayConsume, signal, throttle, beforeCopy }: StorePut): Promise<void> {
    const path = this.#pathOf(shard.cid);
    await this.#used.beforeChange();
    await makeDirectory(dirname(path));
    const [{ copyCar, moveCar }, { sweepTemporary }, { checkCar }] = await Promise.all([
      import('./car-writer.ts'),
      import('../directory/temporary-files.ts'),
      import('../../car-check.ts'),
    ]);
    await checkCar(shard.carPath, shard);
    if (!mayConsume || !(await moveCar(shard.carPath, path, signal))) {
      await beforeCopy();
      const temporary = join(this.#path, 'tmp');
      this.#swept ??= this.#bringBack().then(() => sweepTemporary(temporary, (name) => this.#isWanted(name)));
      await this.#swept.catch((error: unknown) => {
        this.#swept = undefined;
        throw error;
      });
      await copyCar(shard, { temporary, path, signal, throttle });
    }
    await syncPath(dirname(path));
    this.#used.note(shard.cid, shard.carBytes);
  }

  async confirm(cid: string): Promise<boolean> {
    await syncPath(dirname(this.#pathOf(cid)));
    return (await this.sizeOf(cid)) !== undefined;
  }

  async open(cid: string): Promise<ShardReader> {
    const { openCar } = await import('./car-reader.ts');
    return await this.#inSight(cid, (path) => openCar(path, cid));
  }

  async salvage(cid: string): Promise<ShardReader> {
    const { salvageCar } = await import('./car-reader.ts');
    return await this.#inSight(cid, (path) => salvageCar(path, cid));
  }

  /** A home that removes its mark moves the shard out of sight for a moment, even if another home counts on it: looks once more then. */
  async #inSight(cid: string, open: (path: string) => Promise<ShardReader>): Promise<ShardReader> {
    try {
      return await open(this.#pathOf(cid));
    } catch (error) {
      if (!(error instanceof ShardctlError && error.code === 'NOT_FOUND') || (await this.sizeOf(cid)) === undefined) throw error;
      return await open(this.#pathOf(cid));
    }
  }

  async glance(cid: string, digest: Uint8Array): Promise<Uint8Array | undefined> {
    const { Glances } = await import('./car-glance.ts');
    this.#glances ??= new Glances((shard) => this.#pathOf(shard));
    return this.#glances.block(cid, digest);
  }

  carPath(cid: string): string {
    return this.#pathOf(cid);
  }

  async *list(): AsyncIterable<string> {
    await this.#bringBack();
    // `readdir` fails when the directory is missing: then its disk is gone, and an empty list would be wrong.
    const shards = join(this.#path, 'shards');
    const folders = (await readdir(shards)).filter((name) => FAN_OUT.test(name)).sort();
    this.#isOwn = await ownFoldersOf(shards);
    const filesIn = filesInEach(this.#isOwn);
    const turns = new Turns(undefined);
    for (const folder of folders) {
      await turns.give();
      for (const file of await filesIn(join(shards, folder))) {
        const cid = file.slice(0, -EXTENSION.length);
        if (file.endsWith(EXTENSION) && isShardName(cid)) yield cid;
      }
    }
  }

  /**
   * Moves the shard out of sight and then looks at the marks once more: another home may have marked the shard, seen it here, and
   * counted on it since.
   */
  async remove(cid: string): Promise<'removed' | 'kept'> {
    const path = this.#pathOf(cid);
    await this.#used.beforeChange();
    if ((await this.sizeOf(cid)) === undefined) return 'removed';
    const aside = join(this.#path, 'tmp', `${LEAVING}${cid}.${randomUUID()}`);
    await makeDirectory(dirname(aside));
    await renameIfThere(path, aside);
    if (await this.#marks.isMarked(cid)) {
      // Another home may have put it once more meanwhile.
      if (!(await renameIfFree(aside, path))) await removeFile(aside);
      await syncPath(dirname(path));
      return 'kept';
    }
    await removeFile(aside);
    // Both folders: otherwise a power cut could bring the shard back, and no home would know of it.
    for (const folder of [dirname(aside), dirname(path)]) await syncPath(folder);
    this.#used.note(cid, 0);
    return 'removed';
  }

  /**
   * Puts back marked shards that a run was about to remove when it died. A run that is removing one right now would put it back, too.
   * @param cid only this shard @returns whether anything was put back
   */
  async #bringBack(cid = ''): Promise<boolean> {
    let isBack = false;
    for (const name of await namesIn(join(this.#path, 'tmp'))) {
      if (!isLeaving(name) || !name.startsWith(`${LEAVING}${cid}`)) continue;
      const path = this.#pathOf(shardOf(name));
      const aside = join(this.#path, 'tmp', name);
      if ((await sizeAt(aside)) === undefined || !(await this.#isWanted(name)) || !(await renameIfFree(aside, path))) continue;
      await syncPath(dirname(path));
      isBack = true;
    }
    return isBack;
  }

  /** Whether this file in `tmp` is a shard on which a home counts, and which is nowhere else here. */
  async #isWanted(name: string): Promise<boolean> {
    return isLeaving(name) && (await this.#marks.isMarked(shardOf(name))) && (await sizeAt(this.#pathOf(shardOf(name)))) === undefined;
  }

  /** Fan-out as in flatfs: the last character of a CID has only eight values, and the two before it are spread evenly. */
  #pathOf(cid: string): string {
    return join(this.#path, 'shards', shardName(cid).slice(-3, -1), `${cid}${EXTENSION}`);
  }
}

function isLeaving(name: string): boolean {
  return name.startsWith(LEAVING) && isShardName(shardOf(name));
}

function shardOf(name: string): string {
  return name.split('.', 2)[1] ?? '';
}
