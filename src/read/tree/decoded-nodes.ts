/**
 * Nodes of trees that stay decoded, bounded by bytes, for whoever looks into the same directories again and again. They are kept by
 * digest, so none is ever out of date. Nodes may be a stranger's: what `tree.ts` refuses in a directory is refused here.
 */
import { LRUCache } from 'lru-cache';
import { displayPath } from '../../core/display.ts';
import { ShardctlError } from '../../core/errors.ts';
import { type BlockId, type ByteString, DIRECTORY, type EntryKind, FILE, RAW, SYMLINK } from '../../core/model.ts';
import { cidText } from '../../dag/cid.ts';
import { HASH_BITS, HamtSlots } from '../../dag/hamt-slots.ts';
import { type DagNode, decodeNode, type Link } from '../../dag/node-reader.ts';
import type { Blocks } from '../blocks/block-source.ts';
import { assertNames } from './tree.ts';

/** About what a link takes on the heap with its digest and its place in a map, and a node with none. */
const LINK_BYTES = 300;
const NODE_BYTES = 500;

export class DecodedNodes {
  readonly #nodes: LRUCache<string, DecodedNode>;

  /** @param mostBytes of heap */
  constructor(mostBytes = 64 * 1024 * 1024) {
    this.#nodes = new LRUCache<string, DecodedNode>({ maxSize: mostBytes, sizeCalculation: ({ bytes }) => bytes });
  }

  /** @param id of a dag-pb block */
  async read(id: BlockId, blocks: Blocks): Promise<DecodedNode> {
    return await this.#node(id, blocks, () => true);
  }

  /** As `read`, for whoever looks at each file once: of what is read here only directories stay, which would have to make way for files. */
  async glance(id: BlockId, blocks: Blocks): Promise<DecodedNode> {
    return await this.#node(id, blocks, ({ kind }) => kind === DIRECTORY);
  }

  async #node(id: BlockId, blocks: Blocks, stays: (node: DecodedNode) => boolean): Promise<DecodedNode> {
    const key = keyOf(id.digest);
    const known = this.#nodes.get(key);
    if (known !== undefined) return known;
    const node = new DecodedNode(id, await blocks.read(id.digest));
    if (stays(node)) this.#nodes.set(key, node);
    return node;
  }

  /**
   * The link with this name in a directory; undefined when there is none. Of a HAMT directory only the nodes on the way to the name are read.
   * @param onNode is told of each of those nodes
   */
  async linkNamed(directory: DecodedNode, name: ByteString, blocks: Blocks, onNode: (id: BlockId) => void): Promise<Link | undefined> {
    const { type, fanout = 0 } = directory.node;
    if (type === 'directory') return directory.link(name);
    const slots = new HamtSlots(fanout).take(name);
    let node = directory;
    for (let level = 0; (level + 1) * Math.log2(fanout) <= HASH_BITS; level++) {
      const prefix = slots.prefixAt(level);
      const link = node.link(`${prefix}${name}`);
      if (link !== undefined) return link;
      const below = node.link(prefix);
      if (below === undefined) return undefined;
      if (below.codec === RAW) throw damaged(directory.id, 'has a slot that leads to a leaf');
      onNode({ codec: below.codec, digest: below.digest });
      node = await this.read(below, blocks);
      if (node.node.type !== 'hamt' || node.node.fanout !== fanout)
        throw damaged(directory.id, 'has a slot that leads to what is no part of it');
    }
    throw damaged(directory.id, 'is nested deeper than a hash reaches');
  }
}

/** A node, and its links by their names. */
export class DecodedNode {
  readonly id: BlockId;
  readonly node: DagNode;
  /** What it takes on the heap, about. */
  readonly bytes: number;
  #links: ReadonlyMap<ByteString, Link> | undefined;

  constructor({ codec, digest }: BlockId, block: Uint8Array) {
    this.id = { codec, digest };
    this.node = decodeNode(block);
    this.bytes = block.length + NODE_BYTES + LINK_BYTES * this.node.links.length;
  }

  get kind(): EntryKind {
    const { type } = this.node;
    if (type === 'symlink') return SYMLINK;
    return type === 'file' || type === 'raw' ? FILE : DIRECTORY;
  }

  /** In a HAMT node a name is a slot's number, with or without the name of an entry after it. */
  link(name: ByteString): Link | undefined {
    this.#links ??= this.#byName();
    return this.#links.get(name);
  }

  #byName(): ReadonlyMap<ByteString, Link> {
    const { links, type } = this.node;
    if (type === 'directory') assertNames(this.id, links);
    const byName = new Map<ByteString, Link>();
    for (const link of links) {
      if (byName.has(link.name)) throw damaged(this.id, `has two entries named "${displayPath(link.name)}"`);
      byName.set(link.name, link);
    }
    return byName;
  }
}

function keyOf({ buffer, byteOffset, length }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, length).toString('latin1');
}

function damaged(id: BlockId, why: string): ShardctlError {
  return new ShardctlError('DAMAGE', `${cidText(id, 1)} ${why}`);
}
