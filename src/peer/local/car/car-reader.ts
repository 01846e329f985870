/**
 * Reads a shard from its CAR file. The file needs no index beside it: the blocks lie in the order in which the manifest lists them, so
 * the manifest at the file's end tells where each block is. Opening costs two or three reads, however large the shard is. Every block is
 * hashed as it is read.
 *
 * The manifest is a function of the blocks. If it is damaged and they are not, it is made again from them, for which the file is read
 * once to its end.
 */

import { isDamage, messageOf, ShardctlError } from '../../../core/errors.ts';
import { Turns } from '../../../core/event-loop.ts';
import { type BlockId, DIGEST_BYTES, RAW } from '../../../core/model.ts';
import { blockText, hashesTo, parseCid } from '../../../dag/cid.ts';
import { CAR_HEADER_BYTES, carHeader, sectionHeaderBytes, writeSectionHeader } from '../../../shard/car.ts';
import { contentsOf, type Manifest, readManifest } from '../../../shard/manifest.ts';
import type { ReadBlock, ShardContents, ShardReader } from '../../peer.ts';
import { type CarFile, openFile, readError } from './car-file.ts';
import { findManifest } from './car-manifest.ts';
import type { FoundBlocks } from './car-salvage.ts';

/** Bytes that a scan reads at once; two of the largest sections fit in. */
const WINDOW_BYTES = 4 * 1024 * 1024 + 4096;

/** A manifest of 65,536 blocks takes 60 ms and more to read: others get their turn meanwhile. */
const TURN_MS = 5;

/** @throws ShardctlError `NOT_FOUND`, or `DAMAGE` when neither the manifest nor the blocks tell what the shard holds */
export async function openCar(path: string, cid: string): Promise<ShardReader> {
  const file = openFile(path, cid);
  const root = parseCid(cid);
  try {
    return await byManifest(path, cid, file, root);
  } catch (error) {
    try {
      const found = isDamage(error) ? await blocksIn(file, root) : undefined;
      if (found?.manifest !== undefined)
        return new CarShardReader({ path, cid, file, manifest: found.manifest, dataAt: found.dataAt, damage: messageOf(error) });
    } catch {
      // The error that is thrown says what was wrong with the manifest.
    }
    file.close();
    throw readError(error, cid, path);
  }
}

/** Opens what is left of a CAR that `openCar` refuses: the good blocks that are in it. */
export async function salvageCar(path: string, cid: string): Promise<ShardReader> {
  const file = openFile(path, cid);
  try {
    return new SalvagedReader(path, cid, file, await blocksIn(file, parseCid(cid)));
  } catch (error) {
    file.close();
    throw readError(error, cid, path);
  }
}

/** Loaded for a CAR that is damaged. */
async function blocksIn(file: CarFile, root: BlockId): Promise<FoundBlocks> {
  return await (await import('./car-salvage.ts')).findBlocks(file, root);
}

async function byManifest(path: string, cid: string, file: CarFile, root: BlockId): Promise<ShardReader> {
  const { nodes, blocksEnd } = findManifest(file, root.digest);
  const turns = new Turns(undefined, TURN_MS);
  const manifest = await readManifest(root, async (digest) => {
    await turns.give();
    return nodes(digest);
  });
  const { dataAt, end } = placesOf(manifest);
  if (end !== blocksEnd) throw new ShardctlError('DAMAGE', `its blocks end at ${blocksEnd}, not at ${end}`);
  // The root is the file's last section, so the header tells nothing that is not known.
  const damage = carHeader(root).equals(file.bytes(0, CAR_HEADER_BYTES)) ? undefined : 'its header is damaged';
  return new CarShardReader({ path, cid, file, manifest, dataAt, damage });
}

/** Where each block begins, and where the last one ends. */
function placesOf(manifest: Manifest): { readonly dataAt: Float64Array; readonly end: number } {
  const { lengths } = manifest;
  const dataAt = new Float64Array(lengths.length);
  let at = CAR_HEADER_BYTES;
  for (let index = 0; index < lengths.length; index++) {
    const length = lengths[index] as number;
    at += sectionHeaderBytes(length);
    dataAt[index] = at;
    at += length;
  }
  return { dataAt, end: at };
}

interface OpenedCar {
  readonly path: string;
  readonly cid: string;
  readonly file: CarFile;
  readonly manifest: Manifest;
  /** Where each block begins, by its number in the shard. */
  readonly dataAt: Float64Array;
  readonly damage: string | undefined;
}

class CarShardReader implements ShardReader {
  readonly damage: string | undefined;
  readonly #car: OpenedCar;

  constructor(car: OpenedCar) {
    this.damage = car.damage;
    this.#car = car;
  }

  get blocks(): number {
    return this.#car.manifest.lengths.length;
  }

  contents(): ShardContents {
    return contentsOf(this.#car.manifest);
  }

  async read(digest: Uint8Array): Promise<Uint8Array | undefined> {
    const { path, cid, file, manifest, dataAt } = this.#car;
    const index = manifest.blocks.get(digest);
    if (index === undefined) return undefined;
    try {
      return blockAt(file, dataAt[index], manifest.lengths[index], digest);
    } catch (error) {
      throw readError(error, cid, path);
    }
  }

  /** The bytes of a block are a view, valid until the next block is asked for. */
  async *scan(onDamage: (detail: string) => void): AsyncIterable<ReadBlock> {
    const { manifest, dataAt } = this.#car;
    if (this.damage !== undefined) onDamage(this.damage);
    const digests = manifest.blocks.digests();
    const window = Buffer.allocUnsafe(WINDOW_BYTES);
    const frame = Buffer.allocUnsafe(sectionHeaderBytes(WINDOW_BYTES));
    let from = 0;
    let to = 0;
    // Each block's place is known from the manifest, so a damaged block does not hide those after it.
    for (const [index, length] of manifest.lengths.entries()) {
      const data = dataAt[index];
      if (data === undefined) throw new Error(`no place is known of block ${index}`);
      const start = data - sectionHeaderBytes(length);
      const end = data + length;
      if (end > to) {
        from = start;
        to = start + (await this.#fill(window, start));
      }
      const digest = digests.subarray(index * DIGEST_BYTES, (index + 1) * DIGEST_BYTES);
      const bytes = window.subarray(end - from - length, end - from);
      const frameBytes = writeSectionHeader(frame, 0, RAW, digest, 0, length);
      if (end > to) onDamage(`block ${blockText(digest)}: the file ends before it`);
      else if (!hashesTo(bytes, digest)) onDamage(`block ${blockText(digest)} does not have its hash`);
      else {
        if (window.compare(frame, 0, frameBytes, start - from, end - from - length) !== 0)
          onDamage(`block ${blockText(digest)} is intact, but the CAR section around it is not`);
        yield { digest, bytes };
      }
    }
  }

  async close(): Promise<void> {
    this.#car.file.close();
  }

  async #fill(window: Buffer, at: number): Promise<number> {
    const { path, cid, file } = this.#car;
    try {
      return await file.fill(window, at);
    } catch (error) {
      throw readError(error, cid, path);
    }
  }
}

/** The good blocks of a file whose manifest is lost, so that nobody knows what else was in it. */
class SalvagedReader implements ShardReader {
  readonly damage = 'what it holds is not known any more';
  readonly #path: string;
  readonly #cid: string;
  readonly #file: CarFile;
  readonly #found: FoundBlocks;

  constructor(path: string, cid: string, file: CarFile, found: FoundBlocks) {
    this.#path = path;
    this.#cid = cid;
    this.#file = file;
    this.#found = found;
  }

  get blocks(): number {
    return this.#found.blocks.size;
  }

  contents(): never {
    throw new ShardctlError('DAMAGE', `shard ${this.#cid} is damaged (${this.#path}): ${this.damage}`);
  }

  async read(digest: Uint8Array): Promise<Uint8Array | undefined> {
    const { blocks, dataAt, lengths } = this.#found;
    const index = blocks.get(digest);
    if (index === undefined) return undefined;
    try {
      return blockAt(this.#file, dataAt[index], lengths[index], digest);
    } catch (error) {
      throw readError(error, this.#cid, this.#path);
    }
  }

  async *scan(onDamage: (detail: string) => void): AsyncIterable<ReadBlock> {
    onDamage(this.damage);
    const digests = Buffer.from(this.#found.blocks.digests());
    for (let at = 0; at < digests.length; at += DIGEST_BYTES) {
      const digest = digests.subarray(at, at + DIGEST_BYTES);
      const bytes = await this.read(digest);
      if (bytes !== undefined) yield { digest, bytes };
    }
  }

  async close(): Promise<void> {
    this.#file.close();
  }
}

/** @param at offset of the block in the file; it and the length are known of every block that the shard lists */
function blockAt(file: CarFile, at: number | undefined, length: number | undefined, digest: Uint8Array): Buffer {
  if (at === undefined || length === undefined) throw new Error(`no place is known of block ${blockText(digest)}`);
  const bytes = file.bytes(at, length);
  if (!hashesTo(bytes, digest)) throw new ShardctlError('DAMAGE', `block ${blockText(digest)} does not have its hash`);
  return bytes;
}
