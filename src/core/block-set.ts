/**
 * The blocks that a walk has met, told apart by codec and digest. The digest alone is not enough: a file may hold the very bytes of
 * a node (a copy of a block store does; anybody may upload one), and then a leaf and a node have the same digest. A walk that took
 * the node for seen because it has seen the leaf would never look at what is below the node.
 */
import { DigestMap } from './digest-map.ts';
import { type BlockId, RAW } from './model.ts';

/** Bits: a digest may have been met as a leaf, as a node, or as both. */
const AS_LEAF = 1;
const AS_NODE = 2;

export class BlockSet {
  /** Every digest once, whether it was met as a leaf, a node or both. 44 to 88 bytes each. */
  readonly digests = new DigestMap();
  #size = 0;

  /** A digest that was met both as a leaf and as a node counts twice. */
  get size(): number {
    return this.#size;
  }

  has({ codec, digest }: BlockId): boolean {
    return ((this.digests.get(digest) ?? 0) & (codec === RAW ? AS_LEAF : AS_NODE)) !== 0;
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
