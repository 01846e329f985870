/**
 * Leaves of files that were read and hashed a moment ago: the kernel asks for a large file in parts of 128 KiB up to a megabyte, several
 * at once, and a leaf is hashed as a whole. Those who want the same leaf wait for one reading. So many are read at once; the others wait.
 */
import { read } from 'node:fs';
import { promisify } from 'node:util';
import { LRUCache } from 'lru-cache';
import { hashesTo } from '../../dag/cid.ts';
import type { FileBlocks } from '../../read/files/file-leaves.ts';

const readAsync = promisify(read);
/** What is smaller is read at once (`StoredBlocks.readNow`). */
const SMALL_BYTES = 64 * 1024;

export class Leaves {
  readonly #kept: LRUCache<string, Uint8Array>;
  readonly #underWay = new Map<string, Promise<Uint8Array>>();
  readonly #waiting: (() => void)[] = [];
  #free: number;

  /** @param mostBytes that are kept @param atOnce leaves that are being read: each takes its size in memory */
  constructor(mostBytes = 64 * 1024 * 1024, atOnce = 16) {
    this.#kept = new LRUCache<string, Uint8Array>({ maxSize: mostBytes, sizeCalculation: ({ length }) => length + 200 });
    this.#free = atOnce;
  }

  /** The leaf, if it is kept or can be had at once. */
  now(digest: Uint8Array, blocks: FileBlocks & NowBlocks): Uint8Array | undefined {
    return this.#kept.get(keyOf(digest)) ?? blocks.readNow(digest);
  }

  /** The leaf, hashed. @throws as `StoredBlocks.read` */
  async read(digest: Uint8Array, blocks: FileBlocks): Promise<Uint8Array> {
    const key = keyOf(digest);
    const known = this.#kept.get(key) ?? this.#underWay.get(key);
    if (known !== undefined) return await known;
    const reading = this.#inTurn(async () => (await fromExtent(digest, blocks)) ?? (await blocks.read(digest)))
      .then((leaf) => {
        if (leaf.length > SMALL_BYTES) this.#kept.set(key, leaf);
        return leaf;
      })
      .finally(() => this.#underWay.delete(key));
    this.#underWay.set(key, reading);
    return await reading;
  }

  /** Begins to read it, if nobody waits for a place: it may be asked for soon. */
  prefetch(digest: Uint8Array, blocks: FileBlocks): void {
    if (this.#free === 0 || this.#kept.has(keyOf(digest))) return;
    // Whoever asks for it is told what is wrong.
    void this.read(digest, blocks).catch(() => {});
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next();
    }
  }
}

/** What gives small blocks at once. */
export interface NowBlocks {
  readNow(digest: Uint8Array): Uint8Array | undefined;
}

/** A leaf that lies in a CAR on this machine; undefined where it does not, or is not intact there. The disk is waited for in a thread. */
async function fromExtent(digest: Uint8Array, blocks: FileBlocks): Promise<Uint8Array | undefined> {
  const extent = blocks.extentNow(digest) ?? (await blocks.extentOf(digest));
  if (extent === undefined) return undefined;
  const { file, at, length } = extent;
  file.hold();
  try {
    const leaf = Buffer.allocUnsafeSlow(length);
    for (let filled = 0; filled < length; ) {
      const { bytesRead } = await readAsync(file.fd, leaf, filled, length - filled, at + filled);
      if (bytesRead === 0) return undefined;
      filled += bytesRead;
    }
    return hashesTo(leaf, digest) ? leaf : undefined;
  } catch {
    // A sector that cannot be read: another replica may be.
    return undefined;
  } finally {
    file.release();
  }
}

function keyOf({ buffer, byteOffset, length }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, length).toString('latin1');
}
