/**
 * What the CAR of a shard looks like, byte for byte, without its blocks: the manifest says which blocks come in which order, and the nodes
 * of the manifest follow from that. Takes 55 bytes a block.
 */
import { ShardctlError } from '../../core/errors.ts';
import { Turns } from '../../core/event-loop.ts';
import { type Codec, DAG_PB, DIGEST_BYTES, RAW } from '../../core/model.ts';
import { parseCid, sameDigest } from '../../dag/cid.ts';
import type { ShardContents } from '../../peer/peer.ts';
import { CAR_HEADER_BYTES, carHeader, sectionHeaderBytes, writeSectionHeader } from '../../shard/car.ts';
import { ManifestBuilder } from '../../shard/manifest.ts';

const TURN_MS = 5;

interface Node {
  readonly digest: Uint8Array;
  readonly block: Uint8Array;
}

export class CarLayout {
  readonly header: Buffer;
  /** Sections: first the blocks, then the nodes of the manifest. */
  readonly sections: number;
  readonly #contents: ShardContents;
  readonly #nodes: readonly Node[];
  /** Where each section begins, and at last where the file ends. */
  readonly #starts: Float64Array;
  /** The same for the blocks in the shard's UnixFS file, in which nothing stands between them. Made when it is first needed. */
  #fileStarts: Float64Array | undefined;

  /** @throws ShardctlError `DAMAGE` when the shard's root does not follow from its contents */
  static async of(cid: string, contents: ShardContents): Promise<CarLayout> {
    const builder = new ManifestBuilder();
    const turns = new Turns(undefined, TURN_MS);
    for (const [block, length] of contents.lengths.entries()) {
      builder.add(contents.digests, block * DIGEST_BYTES, length);
      if (turns.isDue) await turns.give();
    }
    const nodes: Node[] = [];
    const root = builder.finish((block, digest) => void nodes.push({ block, digest }));
    if (sameDigest(root.digest, parseCid(cid).digest)) return new CarLayout(carHeader(root), contents, nodes);
    throw new ShardctlError('DAMAGE', `the manifest of shard ${cid} is not the one that follows from its blocks`);
  }

  private constructor(header: Buffer, contents: ShardContents, nodes: readonly Node[]) {
    this.header = header;
    this.#contents = contents;
    this.#nodes = nodes;
    this.sections = contents.lengths.length + nodes.length;
    this.#starts = new Float64Array(this.sections + 1);
    let at = CAR_HEADER_BYTES;
    for (let section = 0; section < this.sections; section++) {
      this.#starts[section] = at;
      const length = this.lengthOf(section);
      at += sectionHeaderBytes(length) + length;
    }
    this.#starts[this.sections] = at;
  }

  get carBytes(): number {
    return this.startOf(this.sections);
  }

  /** Where the section begins; of the number after the last one, where the file ends. */
  startOf(section: number): number {
    return this.#starts[section] as number;
  }

  /** Blocks of the shard: its first sections. */
  get blocks(): number {
    return this.#contents.lengths.length;
  }

  /** Where a block begins in the shard's UnixFS file; of the number after the last one, where that ends. */
  fileStartOf(block: number): number {
    if (this.#fileStarts === undefined) {
      this.#fileStarts = new Float64Array(this.blocks + 1);
      let at = 0;
      for (const [index, length] of this.#contents.lengths.entries()) {
        this.#fileStarts[index] = at;
        at += length;
      }
      this.#fileStarts[this.blocks] = at;
    }
    return this.#fileStarts[block] as number;
  }

  /** The block that has this byte of the shard's UnixFS file. */
  blockAt(offset: number): number {
    return firstThat(this.blocks, (block) => this.fileStartOf(block + 1) > offset);
  }

  /** Bytes of the block in the section. */
  lengthOf(section: number): number {
    return this.#contents.lengths[section] ?? this.nodeIn(section)?.block.length ?? 0;
  }

  /** The node of the manifest that stands there; undefined where a block stands. */
  nodeIn(section: number): Node | undefined {
    return this.#nodes[section - this.#contents.lengths.length];
  }

  /** A node of the manifest by its digest. */
  node(digest: Uint8Array): Uint8Array | undefined {
    return this.#nodes.find((node) => sameDigest(node.digest, digest))?.block;
  }

  digestOf(section: number): Uint8Array {
    return this.nodeIn(section)?.digest ?? this.#contents.digests.subarray(section * DIGEST_BYTES, (section + 1) * DIGEST_BYTES);
  }

  /** The section that the byte at this offset belongs to; 0 also for a byte of the header. */
  sectionAt(offset: number): number {
    return firstThat(this.sections, (section) => this.startOf(section + 1) > offset);
  }

  /** Writes what stands before the block of a section. @returns where the block goes */
  writeHead(out: Buffer, at: number, section: number): number {
    const codec: Codec = this.nodeIn(section) === undefined ? RAW : DAG_PB;
    return writeSectionHeader(out, at, codec, this.digestOf(section), 0, this.lengthOf(section));
  }
}

/** The first number below `count` for which it holds, as for all after it; else `count`. */
function firstThat(count: number, holds: (number: number) => boolean): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}
