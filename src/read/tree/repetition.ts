/** Limits on trees of strangers: a few blocks, linked over and over, can describe a tree that is too large to write out. */
import { DigestMap } from '../../core/digest-map.ts';
import { ShardctlError } from '../../core/errors.ts';

/** So many parts of files are read without any check: as many as an empty disk image of 4 TiB has in parts of 256 KiB. It takes about a minute. */
export const FREE_PARTS = 2 ** 24;
/** Above that, a tree may be at most so many times as large as what it is made of. A year of daily copies of one directory is 365 times as large. */
export const MOST_REPEATED = 1000;

/** A tree that no system could hold, though its blocks are few. A walk that writes it out stops altogether, because the other parts are as bad. */
export class BoundlessTree extends ShardctlError {
  constructor(why: string) {
    super('DAMAGE', `the tree ${why}`, {
      hint: 'it was made to be endless; `shardctl prune` frees its blocks, once `shardctl forget`, or `shardctl rm` where it is the newest, has let go of any snapshot of it',
    });
  }
}

/**
 * Compares, for each FREE_PARTS parts that are read of a stranger's files, their number with the number of links in the different nodes
 * that they came from, and then starts anew. It stops noting nodes once their links are enough, at a thousandth of FREE_PARTS, which
 * bounds the digests that it holds.
 */
export class Repetition {
  #parts = 0;
  #links = 0;
  #nodes = new DigestMap();

  /** To be called before the links of a file node are followed. */
  node(digest: Uint8Array, links: number): void {
    if (this.#links * MOST_REPEATED < FREE_PARTS && this.#nodes.add(digest, 0, 0)) this.#links += links;
  }

  /** To be called for each link. @throws BoundlessTree */
  part(): void {
    if (++this.#parts < FREE_PARTS) return;
    if (this.#links * MOST_REPEATED < this.#parts)
      throw new BoundlessTree(`has files of more than ${FREE_PARTS} parts, made of ${this.#links} over and over`);
    this.#parts = 0;
    this.#links = 0;
    this.#nodes = new DigestMap();
  }
}
