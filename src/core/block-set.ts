/**
 * The blocks that a walk has met. A block is its codec and its digest, and not its digest alone: a file may hold the very bytes
 * of a node (a copy of a block store does; anybody may upload one), and then a leaf and a node have one digest. Whoever takes
 * the node for seen because the leaf was seen never looks at what is below it.
 */
import { DigestMap } from './digest-map.ts';
import { type BlockId, RAW } from './model.ts';

/** What a digest was met as: either, or both. */
const AS_LEAF = 1;
const AS_NODE = 2;

export class BlockSet {
  /** Every digest once, whatever it was met as. 44 to 88 bytes each. */
  readonly digests = new DigestMap();
  #size = 0;

  /** Blocks, told apart by codec and digest. */
  get size(): number {
    return this.#size;
  }

  /** @returns false (and no change) when this block is here already */
  add({ codec, digest }: BlockId): boolean {
    const kind = codec === RAW ? AS_LEAF : AS_NODE;
    const before = this.digests.get(digest) ?? 0;
    if ((before & kind) !== 0) return false;
    this.digests.set(digest, 0, before | kind);
    this.#size++;
    return true;
  }
}
