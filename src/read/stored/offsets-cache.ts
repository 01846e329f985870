/**
 * The files of offsets, `<home>/cache/offsets/<cid>`: a cache that anybody may delete at any time. Processes that serve the same home
 * make and read the same files, each of which is written under another name first. Nothing is flushed: a file that a power cut has torn
 * is not whole by its checksums, and is made again. Where no file can be written, the offsets of the shards that are open stay in memory.
 */
import { randomUUID } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { readdir, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDirectories } from '../../core/durable-files.ts';
import { removeFile, removeFileSync } from '../../core/remove-file.ts';
import { parseCid } from '../../dag/cid.ts';
import { Offsets } from './offsets-file.ts';

const HALF_WRITTEN = '.new';
/** A half-written file to which nobody has written for this long belongs to a process that has died. */
const HOUR_MS = 60 * 60 * 1000;

/** A file up to this size, for 4,000 blocks, is read at once, and takes no descriptor. */
const SMALL_BYTES = 64 * 1024;

/** The offsets of one shard, as long as they are open. */
export class OpenOffsets {
  readonly offsets: Offsets;
  #fd: number | undefined;

  constructor(source: number | Buffer, shard: Uint8Array) {
    this.offsets = new Offsets(source, shard);
    this.#fd = typeof source === 'number' ? source : undefined;
  }

  get isFile(): boolean {
    return this.#fd !== undefined;
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }
}

export class OffsetsCache {
  readonly #dir: string | undefined;
  readonly #now: () => number;
  /** Shards whose file was found wrong and could not be removed. */
  readonly #distrusted = new Set<string>();
  #sweptAt = Number.NEGATIVE_INFINITY;

  /** @param cache directory that is made when it is needed; undefined to keep everything in memory @param now milliseconds since 1970 */
  constructor(cache: string | undefined, now: () => number) {
    this.#dir = cache === undefined ? undefined : join(cache, 'offsets');
    this.#now = now;
  }

  /** Undefined when there is no such file, or none that can be used: that one is removed. */
  open(cid: string): OpenOffsets | undefined {
    if (this.#dir === undefined || this.#distrusted.has(cid)) return undefined;
    let fd: number | undefined;
    try {
      fd = openSync(join(this.#dir, cid), 'r');
      const { size } = fstatSync(fd);
      if (size > SMALL_BYTES) return new OpenOffsets(fd, parseCid(cid).digest);
      const bytes = Buffer.allocUnsafeSlow(size);
      const whole = new OpenOffsets(bytes.subarray(0, readSync(fd, bytes, 0, size, 0)), parseCid(cid).digest);
      closeSync(fd);
      return whole;
    } catch {
      if (fd === undefined) return undefined;
      closeSync(fd);
      this.drop(cid);
      return undefined;
    }
  }

  /** Keeps what was made. @param file as `encodeOffsets` gives it */
  async keep(cid: string, file: Buffer): Promise<OpenOffsets> {
    return ((await this.#write(cid, file)) ? this.open(cid) : undefined) ?? new OpenOffsets(file, parseCid(cid).digest);
  }

  /** Removes a file that led to a wrong place. */
  drop(cid: string): void {
    if (this.#dir === undefined) return;
    try {
      removeFileSync(join(this.#dir, cid));
    } catch {
      this.#distrusted.add(cid);
    }
  }

  /**
   * Removes what belongs to no shard any more, and what processes that have died have left; at most once an hour.
   * @param isKnown whether a shard is there
   */
  async sweep(isKnown: (cid: string) => boolean): Promise<void> {
    if (this.#dir === undefined || this.#now() < this.#sweptAt + HOUR_MS) return;
    this.#sweptAt = this.#now();
    try {
      for (const name of await readdir(this.#dir)) {
        const path = join(this.#dir, name);
        if (name.endsWith(HALF_WRITTEN) ? this.#now() - (await stat(path)).mtimeMs > HOUR_MS : !isKnown(name)) await removeFile(path);
      }
    } catch {
      // A cache that cannot be listed is only larger than it could be.
    }
  }

  async #write(cid: string, file: Buffer): Promise<boolean> {
    if (this.#dir === undefined) return false;
    const fresh = join(this.#dir, `${cid}.${randomUUID()}${HALF_WRITTEN}`);
    try {
      makeDirectories(this.#dir);
      await writeFile(fresh, file, { flag: 'wx' });
      await rename(fresh, join(this.#dir, cid));
      this.#distrusted.delete(cid);
      return true;
    } catch {
      await removeFile(fresh).catch(() => {});
      return false;
    }
  }
}
