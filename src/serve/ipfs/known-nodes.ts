/**
 * Nodes that were read and hashed a short while ago, with what was decoded of them: clients ask for file after file of a directory, and
 * for part after part of a file. A node does not change, so none is ever out of date; whether a client may see it, and whether the home
 * still has it, is asked before (`content-blocks.ts`). Bounded by bytes. Nodes may be a stranger's.
 */
import { LRUCache } from 'lru-cache';
import type { ByteString } from '../../core/model.ts';
import { linkNamed, type NodeLink, nodeLinks, unixFsOf } from '../../dag/node-links.ts';
import { type DagNode, decodeNode } from '../../dag/node-reader.ts';
import type { UnixFs } from '../../dag/unixfs-reader.ts';

const MOST_BYTES = 12 * 1024 * 1024;
/** About how many times its block a node takes on the heap when all of it is decoded, and what it takes beside that. */
const DECODED = 10;
const NODE_BYTES = 1000;
/** About what a decoded link takes. Of usual nodes it has 45 bytes or more in the block; a stranger's may have 8. */
const LINK_BYTES = 400;

export class KnownNodes {
  readonly #nodes: LRUCache<string, KnownNode>;

  /** @param mostBytes of heap; a node that would take more than a quarter of them is not kept */
  constructor(mostBytes = MOST_BYTES) {
    this.#nodes = new LRUCache<string, KnownNode>({
      maxSize: mostBytes,
      maxEntrySize: mostBytes / 4,
      sizeCalculation: ({ bytes }) => bytes.length * DECODED + NODE_BYTES,
    });
  }

  get(digest: Uint8Array): KnownNode | undefined {
    return this.#nodes.get(keyOf(digest));
  }

  /** @param bytes the block of this digest, hashed */
  put(digest: Uint8Array, bytes: Uint8Array): KnownNode {
    // A copy: what was read may lie in a buffer that is larger, and shared.
    const node = new KnownNode(Uint8Array.from(bytes));
    this.#nodes.set(keyOf(digest), node);
    return node;
  }
}

/** A dag-pb block; what is asked of it is decoded once. */
export class KnownNode {
  readonly bytes: Uint8Array;
  #unixFs: UnixFs | undefined;
  #file: DagNode | undefined;
  #lookUps = 0;
  #links: ReadonlyMap<ByteString, NodeLink> | undefined;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** What it says of itself; undefined when it is no UnixFS. @throws ShardctlError `DAMAGE` */
  get unixFs(): UnixFs | undefined {
    this.#unixFs ??= this.#file ?? unixFsOf(this.bytes);
    return this.#unixFs;
  }

  /** The node of a file, with its links. @throws ShardctlError `DAMAGE` */
  get file(): DagNode {
    if (this.#file !== undefined) return this.#file;
    const file = decodeNode(this.bytes);
    if (this.#isCounted(file.links.length)) this.#file = file;
    return file;
  }

  /** The first link of this name. Who asks once has the block searched; from then on there is a map. @throws ShardctlError `DAMAGE` */
  link(name: ByteString): NodeLink | undefined {
    if (this.#links === undefined && ++this.#lookUps === 1) return linkNamed(this.bytes, name);
    if (this.#links !== undefined) return this.#links.get(name);
    const links = this.#byName();
    if (this.#isCounted(links.size)) this.#links = links;
    return links.get(name);
  }

  /** The first link whose name begins so. */
  linkBelow(prefix: ByteString): NodeLink | undefined {
    return linkNamed(this.bytes, prefix, true);
  }

  /** Whether so many links take no more than the block was counted for. */
  #isCounted(links: number): boolean {
    return links * LINK_BYTES <= this.bytes.length * DECODED;
  }

  #byName(): ReadonlyMap<ByteString, NodeLink> {
    const byName = new Map<ByteString, NodeLink>();
    for (const link of nodeLinks(this.bytes)) if (!byName.has(link.name)) byName.set(link.name, link);
    return byName;
  }
}

function keyOf({ buffer, byteOffset, length }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, length).toString('latin1');
}
