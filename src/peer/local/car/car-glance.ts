/**
 * Reads a few blocks of a large shard without reading its whole manifest, which takes 3 to 4 µs a block in a process that has just started:
 * an update that wants ten blocks of a shard of 15,000 would spend 55 ms on where all the others are.
 *
 * The root says how long each node below it is, so where each of them lies; a search in their bytes finds the node that lists the block,
 * and that node alone is decoded. Where the blocks of a node begin is known but for the bytes of the section headers before it, which have
 * one to four bytes beside their CIDs: the block is searched for in between. Nothing of this is evidence but the block's own hash; where
 * anything is not as expected, nothing is given, and the shard has to be opened, which finds out what is wrong.
 */
import { DAG_PB, DIGEST_BYTES, RAW } from '../../../core/model.ts';
import { CID_V1_BYTES, hashesTo, parseCid } from '../../../dag/cid.ts';
import { decodeNode } from '../../../dag/node-reader.ts';
import { CAR_HEADER_BYTES, sectionHeaderBytes } from '../../../shard/car.ts';
import { type PlainLeaves, plainLeaves } from '../../../shard/plain-leaves.ts';
import { CarFile } from './car-file.ts';
import { findSection } from './car-manifest.ts';

/** The root is the last section: it has 256 links in new shards, 1024 in old ones. */
const MOST_ROOT_BYTES = 64 * 1024;
const MOST_VARINT_BYTES = 4;
/** Places of a digest that are looked at. */
const MOST_TRIED = 8;
/** Of one shard: each look takes 0.1 ms, and whoever wants many blocks will want more. */
const MOST_LOOKS = 32;
/** At 45 bytes a block each. */
const MOST_SHARDS = 4;
/** A smaller shard is opened in the time that a few looks take. */
const FEWEST_NODES = 8;

/** A node of the manifest that lists blocks. */
interface LeafNode {
  /** Where it lies in `#nodes`. */
  readonly start: number;
  readonly end: number;
  /** Bytes of all blocks that are listed before it. */
  readonly bytesBefore: number;
}

export class CarGlance {
  readonly #path: string;
  /** The bytes of all nodes that list blocks. */
  readonly #manifest: Buffer;
  readonly #nodes: readonly LeafNode[];
  /** Blocks that each node but the last one lists. */
  readonly #links: number;

  private constructor(path: string, manifest: Buffer, nodes: readonly LeafNode[], links: number) {
    this.#path = path;
    this.#manifest = manifest;
    this.#nodes = nodes;
    this.#links = links;
  }

  /** @returns undefined for a shard that has to be opened */
  static of(path: string, cid: string): CarGlance | undefined {
    return withFile(path, (file) => {
      const tail = file.bytes(Math.max(0, file.size - MOST_ROOT_BYTES), Math.min(file.size, MOST_ROOT_BYTES));
      const root = lastNode(tail, parseCid(cid).digest);
      if (root === undefined) return undefined;
      const { links, blockSizes } = decodeNode(root.bytes);
      if (links.length < FEWEST_NODES || links.length !== blockSizes.length) return undefined;
      const nodes: LeafNode[] = [];
      let [length, bytesBefore] = [0, 0];
      for (const [i, { codec, dagSize }] of links.entries()) {
        const bytes = blockSizes[i] as number;
        // Of a node that lists other nodes this is the size of all of them: then no section has it.
        const nodeBytes = dagSize - bytes;
        if (codec !== DAG_PB || nodeBytes <= 0) return undefined;
        const start = length + sectionHeaderBytes(nodeBytes);
        length = start + nodeBytes;
        nodes.push({ start, end: length, bytesBefore });
        bytesBefore += bytes;
      }
      const manifestAt = file.size - (tail.length - root.start) - length;
      if (manifestAt < CAR_HEADER_BYTES || length > links.length * MOST_ROOT_BYTES) return undefined;
      const manifest = file.bytes(manifestAt, length);
      const first = leavesOf(manifest, nodes[0] as LeafNode);
      return first && new CarGlance(path, manifest, nodes, first.lengths.length);
    });
  }

  /** A block, hashed; undefined where it is not found in this way, which says nothing of the shard. */
  block(digest: Uint8Array): Uint8Array | undefined {
    const listedAt = this.#manifest.indexOf(digest);
    const number = this.#nodes.findIndex(({ start, end }) => start <= listedAt && listedAt < end);
    const node = this.#nodes[number];
    const leaves = node && leavesOf(this.#manifest, node);
    const place = leaves?.digestsAt.indexOf(listedAt - (node?.start ?? 0)) ?? -1;
    if (node === undefined || leaves === undefined || place < 0) return undefined;
    let before = node.bytesBefore;
    for (const length of leaves.lengths.slice(0, place)) before += length;
    const sections = number * this.#links + place;
    const length = leaves.lengths[place] as number;
    return withFile(this.#path, (file) => {
      // The first byte that the digest in the block's own section may begin at, and the last.
      const least = CAR_HEADER_BYTES + before + sections * (CID_V1_BYTES + 1) + sectionHeaderBytes(length) - DIGEST_BYTES;
      const window = file.bytes(least, Math.min(file.size - least, sections * (MOST_VARINT_BYTES - 1) + DIGEST_BYTES));
      // A directory that lies there may link to the block, too.
      for (let [found, tried] = [window.indexOf(digest), 0]; found >= 0 && tried < MOST_TRIED; tried++) {
        const bytes = file.bytes(least + found + DIGEST_BYTES, length);
        if (hashesTo(bytes, digest)) return bytes;
        found = window.indexOf(digest, found + 1);
      }
      return undefined;
    });
  }
}

/** @returns undefined where the file cannot be read, or is no CAR of a shard: whoever opens it says why */
function withFile<T>(path: string, work: (file: CarFile) => T | undefined): T | undefined {
  let file: CarFile | undefined;
  try {
    file = new CarFile(path);
    return work(file);
  } catch {
    return undefined;
  } finally {
    file?.close();
  }
}

/** The node that is the last section. */
function lastNode(tail: Buffer, digest: Uint8Array): { readonly bytes: Buffer; readonly start: number } | undefined {
  const section = findSection(tail, digest, tail.length);
  if (section?.end !== tail.length || section.codec === RAW) return undefined;
  return { bytes: tail.subarray(section.dataAt, section.end), start: section.start };
}

function leavesOf(manifest: Buffer, { start, end }: LeafNode): PlainLeaves | undefined {
  return plainLeaves(manifest.subarray(start, end));
}

/** The shards that were looked into last. */
export class Glances {
  readonly #pathOf: (cid: string) => string;
  /** Least recently opened first; undefined for one that has to be opened. */
  readonly #shards = new Map<string, CarGlance | undefined>();
  readonly #looks = new Map<string, number>();

  constructor(pathOf: (cid: string) => string) {
    this.#pathOf = pathOf;
  }

  block(cid: string, digest: Uint8Array): Uint8Array | undefined {
    const looks = this.#looks.get(cid) ?? 0;
    if (looks >= MOST_LOOKS) return undefined;
    if (!this.#shards.has(cid)) this.#open(cid);
    const block = this.#shards.get(cid)?.block(digest);
    this.#looks.set(cid, block === undefined ? MOST_LOOKS : looks + 1);
    if (this.#looks.get(cid) === MOST_LOOKS) this.#shards.set(cid, undefined);
    return block;
  }

  #open(cid: string): void {
    this.#shards.set(cid, CarGlance.of(this.#pathOf(cid), cid));
    const [oldest] = this.#shards.keys();
    if (this.#shards.size > MOST_SHARDS && oldest !== undefined) this.#shards.delete(oldest);
  }
}
