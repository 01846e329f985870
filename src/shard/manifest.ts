/**
 * The manifest: the UnixFS file nodes above a shard's raw leaves. Balanced, at most 256 links a node: the shape that
 * `ipfs add --max-file-links=256` gives to a file with these chunks, except that the leaves have the sizes of the blocks. So any IPFS
 * implementation reads a shard as a file, and pins it without following what its blocks link to.
 *
 * It has a link for every block of an add, so it is encoded and decoded by our own code: by @ipld/dag-pb an add of 20,000 small
 * files took 5 % more processor time, and reading a manifest of 100,000 blocks 3.9 µs a block instead of 0.6 to 1.6.
 */

import { DigestMap } from '../core/digest-map.ts';
import { ShardctlError } from '../core/errors.ts';
import { type BlockId, type Codec, DAG_PB, DIGEST_BYTES, MAX_SHARD_BLOCKS, RAW } from '../core/model.ts';
import { blockText, cidText, sha256 } from '../dag/cid.ts';
import { encodeFileNode, type FileChild } from '../dag/file-node.ts';
import { decodeNode } from '../dag/node-reader.ts';
import { CAR_HEADER_BYTES, MAX_BLOCK_BYTES, sectionHeaderBytes } from './car.ts';
import { type PlainLeaves, plainLeaves } from './plain-leaves.ts';

/**
 * Links of a node. For each leaf that Kubo sends of a file it copies all links of the node above: with 1024 of them, as shards had at
 * first, a Kubo took 5.4 s of processor time to send 1.1 GB in blocks of 14 KB, with 256 3.8 s, and with 128 3.6 s. Each node is one more
 * question to whoever reads a manifest from a gateway. Two levels hold as many blocks as shardctl puts into a shard.
 */
export const MANIFEST_LINKS = 256;

/** The links of a node in every shard that there is, the usual number first: who makes a manifest again tries one after the other. */
export const LINKS_OF_MANIFESTS: readonly number[] = [MANIFEST_LINKS, 1024];

/** With nodes of 1024 links, four levels hold more blocks than a shard may have; shardctl made no manifest that is deeper. */
const MAX_DEPTH = 4;

/** The node of one level that is being filled: its children in columns, so that a block costs no object. */
class OpenNode {
  readonly #digests: Buffer;
  readonly #fileBytes: Float64Array;
  readonly #dagSizes: Float64Array;
  readonly #codec: Codec;
  #links = 0;

  constructor(codec: Codec, mostLinks: number) {
    this.#codec = codec;
    this.#digests = Buffer.allocUnsafe(mostLinks * DIGEST_BYTES);
    this.#fileBytes = new Float64Array(mostLinks);
    this.#dagSizes = new Float64Array(mostLinks);
  }

  get isFull(): boolean {
    return this.#links === this.#fileBytes.length;
  }

  add(digest: Uint8Array, at: number, fileBytes: number, dagSize: number): void {
    const link = this.#links++;
    for (let i = 0; i < DIGEST_BYTES; i++) this.#digests[link * DIGEST_BYTES + i] = digest[at + i] as number;
    this.#fileBytes[link] = fileBytes;
    this.#dagSizes[link] = dagSize;
  }

  /** Encodes the node and empties it. */
  close(): { block: Buffer; fileBytes: number; dagSize: number } {
    const children: FileChild[] = [];
    let fileBytes = 0;
    let dagSize = 0;
    for (let link = 0; link < this.#links; link++) {
      const child = {
        codec: this.#codec,
        digest: this.#digests.subarray(link * DIGEST_BYTES, (link + 1) * DIGEST_BYTES),
        fileBytes: this.#fileBytes[link] as number,
        dagSize: this.#dagSizes[link] as number,
      };
      fileBytes += child.fileBytes;
      dagSize += child.dagSize;
      children.push(child);
    }
    this.#links = 0;
    const block = encodeFileNode(children, undefined, 1);
    return { block, fileBytes, dagSize: dagSize + block.length };
  }
}

/** Builds the manifest of the open shard as its blocks come. Holds the finished nodes, about 45 bytes a block, because they stand behind all leaves in the CAR. */
export class ManifestBuilder {
  readonly #levels: OpenNode[];
  readonly #nodes: { block: Buffer; digest: Uint8Array }[] = [];
  readonly #links: number;

  /** @param links most links of a node: what a new shard has, or what an older one has that is made again */
  constructor(links = MANIFEST_LINKS) {
    this.#links = links;
    this.#levels = [new OpenNode(RAW, links)];
  }

  /** Adds the block whose digest stands at `at`; the caller sees to it that no block comes twice. @param length its bytes */
  add(digest: Uint8Array, at: number, length: number): void {
    this.#addTo(0, digest, at, length, length);
  }

  /**
   * Emits the nodes, children before parents, the root last. A shard without blocks has no manifest.
   * @returns the shard's root
   */
  finish(emit: (block: Buffer, digest: Uint8Array) => void): BlockId {
    let digest: Uint8Array = new Uint8Array();
    // Closing a level may add one above it, which this loop then comes to.
    for (const [level, node] of this.#levels.entries()) digest = this.#close(level, node, level === this.#levels.length - 1);
    for (const node of this.#nodes) emit(node.block, node.digest);
    return { codec: DAG_PB, digest };
  }

  #addTo(level: number, digest: Uint8Array, at: number, fileBytes: number, dagSize: number): void {
    const node = this.#levels[level] ?? new OpenNode(DAG_PB, this.#links);
    if (level === this.#levels.length) this.#levels.push(node);
    // A full node is closed only when one more child comes, so that the last node of all is the root and has no parent.
    if (node.isFull) this.#close(level, node, false);
    node.add(digest, at, fileBytes, dagSize);
  }

  #close(level: number, node: OpenNode, isRoot: boolean): Uint8Array {
    const { block, fileBytes, dagSize } = node.close();
    const digest = sha256(block);
    this.#nodes.push({ block, digest });
    if (!isRoot) this.#addTo(level + 1, digest, 0, fileBytes, dagSize);
    return digest;
  }
}

/** What a shard's manifest lists. */
export interface Manifest {
  /** Digest → position in the shard. */
  readonly blocks: DigestMap;
  /** Bytes of each block, in shard order. */
  readonly lengths: readonly number[];
  /** The manifest's own nodes, the root first: digest → bytes. */
  readonly nodes: DigestMap;
  /** Bytes of all blocks. */
  readonly bytes: number;
}

/** The sizes that follow from a manifest: those of the shard's blocks, of its whole DAG, and of its CAR. */
export function contentsOf({ blocks, lengths, nodes, bytes }: Manifest): {
  readonly digests: Buffer;
  readonly lengths: readonly number[];
  readonly bytes: number;
  readonly dagSize: number;
  readonly carBytes: number;
  readonly positions: DigestMap;
} {
  let dagSize = bytes;
  let carBytes = CAR_HEADER_BYTES;
  for (const length of lengths) carBytes += sectionHeaderBytes(length) + length;
  for (const length of nodes.values()) {
    dagSize += length;
    carBytes += sectionHeaderBytes(length) + length;
  }
  return { digests: blocks.digests(), lengths, bytes, dagSize, carBytes, positions: blocks };
}

/** Blocks that room is made for before they come: as many as shardctl puts into a shard. A stranger's root may promise more. */
const MOST_RESERVED = MANIFEST_LINKS ** 2;

/** Of a block without a byte. */
const EMPTY_DIGEST = Buffer.from(sha256(new Uint8Array(0)));

/** Gives a manifest node by its digest, already hashed; undefined when it is missing. */
export type LoadNode = (digest: Uint8Array) => Uint8Array | undefined | Promise<Uint8Array | undefined>;

/**
 * Reads the manifest below `root`. It may come from a stranger: depth, counts and sizes are bounded and must agree.
 * @throws ShardctlError `DAMAGE` when a node is missing or the manifest is not one of a shard
 */
export async function readManifest(root: BlockId, load: LoadNode): Promise<Manifest> {
  const blocks = new DigestMap();
  const lengths: number[] = [];
  const nodes = new DigestMap();

  const addBlock = (digests: Uint8Array, at: number, size: number, bad: (why: string) => ShardctlError) => {
    if (blocks.size === MAX_SHARD_BLOCKS) throw bad('lists more blocks than a shard may have');
    if (size > MAX_BLOCK_BYTES) throw bad(`claims ${size} bytes for a block`);
    if (!blocks.add(digests, at, lengths.push(size) - 1))
      throw bad(`lists block ${blockText(digests.subarray(at, at + DIGEST_BYTES))} twice`);
  };
  const addBlocks = (node: Uint8Array, plain: PlainLeaves, bad: (why: string) => ShardctlError) => {
    for (let i = 0; i < plain.lengths.length; i++) addBlock(node, plain.digestsAt[i] as number, plain.lengths[i] as number, bad);
  };
  const readNode = async (digest: Uint8Array, depth: number): Promise<{ fileBytes: number; height: number }> => {
    const bad = (why: string) => new ShardctlError('DAMAGE', `manifest node ${cidText({ codec: DAG_PB, digest }, 1)} ${why}`);
    const bytes = await load(digest);
    if (bytes === undefined) throw bad('is missing');
    if (!nodes.add(digest, 0, bytes.length)) throw bad('is linked twice');
    const plain = plainLeaves(bytes);
    if (plain !== undefined) {
      addBlocks(bytes, plain, bad);
      return { fileBytes: plain.bytes, height: 1 };
    }
    const node = decodeNode(bytes);
    if (node.type !== 'file' || node.data?.length || node.links.length === 0 || node.links.length !== node.blockSizes.length) {
      throw bad('is not an inner node of a file');
    }
    if (node.links[0]?.codec === DAG_PB) blocks.reserve(Math.min(node.links.length * MANIFEST_LINKS, MOST_RESERVED));
    let total = 0;
    let height: number | undefined;
    for (const [index, link] of node.links.entries()) {
      const size = node.blockSizes[index] ?? 0;
      if (link.inline !== undefined) throw bad('lists a block that is inline');
      const below = link.codec === RAW ? undefined : await readChild(link.digest, depth + 1, bad);
      if (below === undefined) {
        if (size === 0 && !EMPTY_DIGEST.equals(link.digest)) throw bad('claims no bytes for a block that has some');
        if (link.dagSize !== size) throw bad(`claims ${size} bytes for a block`);
        addBlock(link.digest, 0, size, bad);
      } else if (below.fileBytes !== size) {
        throw bad('claims a wrong size for a node below it');
      }
      if (height !== undefined && height !== (below?.height ?? 0)) throw bad('is not balanced');
      height = below?.height ?? 0;
      total += size;
    }
    if (total !== node.fileBytes) throw bad('has a size that is not the sum of its links');
    return { fileBytes: total, height: (height ?? 0) + 1 };
  };
  const readChild = (digest: Uint8Array, depth: number, bad: (why: string) => ShardctlError) => {
    if (depth === MAX_DEPTH) throw bad('is too deep');
    return readNode(digest, depth);
  };

  const { fileBytes } = await readNode(root.digest, 0);
  return { blocks, lengths, nodes, bytes: fileBytes };
}
