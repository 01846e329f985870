/**
 * Reads a shard from its CAR file. There is no index beside it: the blocks lie in the order in which the manifest lists
 * them, so the manifest at the file's end says where each one is. Opening costs two or three reads, however large the
 * shard; every block is hashed as it is read.
 */
import { closeSync, fstatSync, openSync, read, readSync } from 'node:fs';
import { promisify } from 'node:util';
import { CID_V1_BYTES, cidText, parseCid, sha256 } from '../dag/cid.ts';
import { decodeNode } from '../dag/decode.ts';
import { DigestMap } from '../digest-map.ts';
import { errnoOf, ioError, ShardctlError } from '../errors.ts';
import { DAG_PB, DIGEST_BYTES, RAW } from '../model.ts';
import { CAR_HEADER_BYTES, readCarHeader, SectionCursor, sectionHeaderBytes, writeSectionHeader } from '../shard/car.ts';
import { contentsOf, type Manifest, readManifest } from '../shard/manifest.ts';
import type { ReadBlock, ShardContents, ShardReader } from './peer.ts';

/** The manifest takes about 45 bytes a block: this holds that of a shard of ordinary files. */
const FIRST_TAIL_BYTES = 256 * 1024;
const TAIL_GROWTH = 8;
/** Sequential reads of a scan; two of the largest sections fit. */
const WINDOW_BYTES = 4 * 1024 * 1024 + 4096;
const MAX_MANIFEST_HEIGHT = 4;
/** A node of 1024 links is under 64 KiB. */
const MAX_NODE_VARINT_BYTES = 3;

const readAsync = promisify(read);

/** @throws ShardctlError `NOT_FOUND`, or `DAMAGE` when the file is not the complete CAR of this shard */
export async function openCar(path: string, cid: string): Promise<ShardReader> {
  const file = openFile(path, cid);
  try {
    const root = parseCid(cid);
    if (!sameDigest(readCarHeader(file.bytes(0, CAR_HEADER_BYTES)).digest, root.digest))
      throw new ShardctlError('DAMAGE', 'it is another shard');
    const { nodes, blocksEnd } = findManifest(file, root.digest);
    const manifest = await readManifest(root, nodes);
    const starts = sectionStarts(manifest);
    if (starts.at(-1) !== blocksEnd) throw new ShardctlError('DAMAGE', `its blocks end at ${blocksEnd}, not at ${starts.at(-1)}`);
    return new CarShardReader(path, cid, file, manifest, starts);
  } catch (error) {
    file.close();
    throw readError(error, cid, path);
  }
}

function openFile(path: string, cid: string): CarFile {
  try {
    return new CarFile(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') throw new ShardctlError('NOT_FOUND', `shard ${cid} is not here (${path})`, { cause: error });
    throw ioError(error, `opening shard ${cid}`, path);
  }
}

function readError(error: unknown, cid: string, path: string): ShardctlError {
  if (!(error instanceof ShardctlError)) return ioError(error, `reading shard ${cid}`, path);
  return new ShardctlError('DAMAGE', `shard ${cid} is damaged (${path}): ${error.message}`, { cause: error });
}

/** A file read by offset. */
class CarFile {
  readonly size: number;
  #fd: number | undefined;

  constructor(path: string) {
    this.#fd = openSync(path, 'r');
    this.size = fstatSync(this.#fd).size;
  }

  /** Synchronous, because a block of an ordinary size is in the page cache or one seek away. A read past the end is damage. */
  bytes(at: number, length: number): Buffer {
    const bytes = Buffer.allocUnsafe(length);
    for (let done = 0; done < length; ) {
      const got = readSync(this.#open(), bytes, done, length - done, at + done);
      if (got === 0) throw new ShardctlError('DAMAGE', `it ends after ${at + done} bytes`);
      done += got;
    }
    return bytes;
  }

  /** Fills the window from offset `at`; returns how many bytes there were. */
  async fill(window: Buffer, at: number): Promise<number> {
    let done = 0;
    while (done < window.length) {
      const { bytesRead } = await readAsync(this.#open(), window, done, window.length - done, at + done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return done;
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  /** Never a closed descriptor: its number may be another file's by now. */
  #open(): number {
    if (this.#fd === undefined) throw new Error('the shard was closed');
    return this.#fd;
  }
}

interface ManifestPlace {
  readonly nodes: (digest: Uint8Array) => Uint8Array | undefined;
  /** Offset at which the last block ends and the manifest begins. */
  readonly blocksEnd: number;
}

/**
 * Finds the manifest by its root, which is the last section: nodes come before the nodes that link to them, so the
 * leftmost of the lowest level is the first section after the blocks.
 */
function findManifest(file: CarFile, rootDigest: Uint8Array): ManifestPlace {
  for (let tailBytes = FIRST_TAIL_BYTES; ; tailBytes *= TAIL_GROWTH) {
    const tailAt = Math.max(0, file.size - tailBytes);
    const tail = file.bytes(tailAt, file.size - tailAt);
    const root = findSection(tail, rootDigest, tail.length);
    if (root?.end !== tail.length) throw new ShardctlError('DAMAGE', 'its manifest is cut or changed');
    const first = leftmostNode(tail, root);
    if (first !== undefined) return { nodes: nodesFrom(tail, first), blocksEnd: tailAt + first };
    if (tailAt === 0) throw new ShardctlError('DAMAGE', 'a part of its manifest is missing or changed');
  }
}

function leftmostNode(tail: Buffer, root: SectionCursor): number | undefined {
  let section: SectionCursor | undefined = root;
  for (let height = 0; height < MAX_MANIFEST_HEIGHT && section !== undefined; height++) {
    const child = decodeNode(tail.subarray(section.dataAt, section.end)).links[0];
    if (child === undefined || child.codec === RAW) return section.start;
    section = findSection(tail, child.digest, section.start);
  }
  return undefined;
}

/** The last section before `before` that holds the node with this digest. Links hold the same bytes as section headers: the hash tells. */
function findSection(tail: Buffer, digest: Uint8Array, before: number): SectionCursor | undefined {
  for (let at = before; at > 0; ) {
    at = tail.lastIndexOf(digest, at - 1);
    if (at < 0) return undefined;
    const cidAt = at + DIGEST_BYTES - CID_V1_BYTES;
    for (let varint = 1; varint <= MAX_NODE_VARINT_BYTES; varint++) {
      const section = sectionAt(tail, cidAt - varint, before);
      if (section?.digestAt === at && sameDigest(sha256(tail.subarray(section.dataAt, section.end)), digest)) return section;
    }
  }
  return undefined;
}

function sectionAt(tail: Buffer, start: number, limit: number): SectionCursor | undefined {
  if (start < 0) return undefined;
  const cursor = new SectionCursor(tail, start, limit);
  try {
    return cursor.next() ? cursor : undefined;
  } catch {
    return undefined;
  }
}

function nodesFrom(tail: Buffer, first: number): (digest: Uint8Array) => Uint8Array | undefined {
  const places = new DigestMap();
  const ends: number[] = [];
  const starts: number[] = [];
  const cursor = new SectionCursor(tail, first);
  while (cursor.next()) {
    if (cursor.codec !== DAG_PB) throw new ShardctlError('DAMAGE', 'blocks come after its manifest');
    places.add(tail, cursor.digestAt, starts.length);
    starts.push(cursor.dataAt);
    ends.push(cursor.end);
  }
  if (cursor.torn) throw new ShardctlError('DAMAGE', 'its last section is cut');
  return (digest) => {
    const place = places.get(digest);
    if (place === undefined) return undefined;
    const bytes = tail.subarray(starts[place], ends[place]);
    return sameDigest(sha256(bytes), digest) ? bytes : undefined;
  };
}

/** Where each block's section begins, and where the last one ends. */
function sectionStarts(manifest: Manifest): Float64Array {
  const starts = new Float64Array(manifest.lengths.length + 1);
  let at = CAR_HEADER_BYTES;
  for (const [index, length] of manifest.lengths.entries()) {
    starts[index] = at;
    at += sectionHeaderBytes(length) + length;
  }
  starts[manifest.lengths.length] = at;
  return starts;
}

class CarShardReader implements ShardReader {
  readonly #path: string;
  readonly #cid: string;
  readonly #file: CarFile;
  readonly #manifest: Manifest;
  readonly #starts: Float64Array;

  constructor(path: string, cid: string, file: CarFile, manifest: Manifest, starts: Float64Array) {
    this.#path = path;
    this.#cid = cid;
    this.#file = file;
    this.#manifest = manifest;
    this.#starts = starts;
  }

  get blocks(): number {
    return this.#manifest.lengths.length;
  }

  contents(): ShardContents {
    return contentsOf(this.#manifest);
  }

  async read(digest: Uint8Array): Promise<Uint8Array | undefined> {
    const index = this.#manifest.blocks.get(digest);
    if (index === undefined) return undefined;
    const length = this.#manifest.lengths[index] as number;
    try {
      const bytes = this.#file.bytes((this.#starts[index + 1] as number) - length, length);
      if (!sameDigest(sha256(bytes), digest)) throw new ShardctlError('DAMAGE', `block ${blockText(digest)} does not have its hash`);
      return bytes;
    } catch (error) {
      throw readError(error, this.#cid, this.#path);
    }
  }

  /** The bytes of a block are a view: valid until the next one is asked for. */
  async *scan(onDamage: (detail: string) => void): AsyncIterable<ReadBlock> {
    const digests = this.#manifest.blocks.digests();
    const window = Buffer.allocUnsafe(WINDOW_BYTES);
    const frame = Buffer.allocUnsafe(sectionHeaderBytes(WINDOW_BYTES));
    let from = 0;
    let to = 0;
    // Each block's place follows from the manifest, so one that is damaged does not hide those after it.
    for (const [index, length] of this.#manifest.lengths.entries()) {
      const start = this.#starts[index] as number;
      const end = this.#starts[index + 1] as number;
      if (end > to) {
        from = start;
        to = start + (await this.#fill(window, start));
      }
      const digest = digests.subarray(index * DIGEST_BYTES, (index + 1) * DIGEST_BYTES);
      const bytes = window.subarray(end - from - length, end - from);
      const frameBytes = writeSectionHeader(frame, 0, RAW, digest, 0, length);
      if (end > to) onDamage(`block ${blockText(digest)}: the file ends before it`);
      else if (!sameDigest(sha256(bytes), digest)) onDamage(`block ${blockText(digest)} does not have its hash`);
      else if (window.compare(frame, 0, frameBytes, start - from, end - from - length) !== 0) {
        onDamage(`block ${blockText(digest)} is intact, but the CAR section around it is not`);
      } else yield { digest, bytes };
    }
  }

  async close(): Promise<void> {
    this.#file.close();
  }

  async #fill(window: Buffer, at: number): Promise<number> {
    try {
      return await this.#file.fill(window, at);
    } catch (error) {
      throw readError(error, this.#cid, this.#path);
    }
  }
}

function blockText(digest: Uint8Array): string {
  return cidText({ codec: RAW, digest }, 1);
}

function sameDigest(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
