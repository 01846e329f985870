/** A few blocks can stand for a tree that nobody could ever write out: where that ends. */
import { DigestMap } from '../../core/digest-map.ts';
import { ShardctlError } from '../../core/errors.ts';

/** So many parts of files are read one by one, whatever they are made of: all of an empty image of 4 TiB in parts of 256 KiB. A minute or so. */
export const FREE_PARTS = 2 ** 24;
/** Beyond that, a tree is no more than so many times what it is made of. A year of daily copies of one directory is 365 times that. */
export const MOST_REPEATED = 1000;

/** A tree that no system could hold, though its blocks are few. Whoever writes it out stops: nothing else of it is any better. */
export class BoundlessTree extends ShardctlError {
  constructor(why: string) {
    super('DAMAGE', `the tree ${why}`, {
      hint: 'it was made to be endless; `shardctl prune` frees its blocks, once `shardctl forget`, or `shardctl rm` where it is the newest, has let go of any snapshot of it',
    });
  }
}

/**
 * Counts what is read of a stranger's files, and the links of the different nodes that it is made of, over and over for as many parts as
 * are free. So it holds the digests of no more nodes than have a thousandth as many links.
 */
export class Repetition {
  #parts = 0;
  #links = 0;
  #nodes = new DigestMap();

  /** A node of a file is looked into. */
  node(digest: Uint8Array, links: number): void {
    if (this.#links * MOST_REPEATED < FREE_PARTS && this.#nodes.add(digest, 0, 0)) this.#links += links;
  }

  /** One of its links is followed. @throws BoundlessTree */
  part(): void {
    if (++this.#parts < FREE_PARTS) return;
    if (this.#links * MOST_REPEATED < this.#parts)
      throw new BoundlessTree(`has files of more than ${FREE_PARTS} parts, made of ${this.#links} over and over`);
    this.#parts = 0;
    this.#links = 0;
    this.#nodes = new DigestMap();
  }
}
