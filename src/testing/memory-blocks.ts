/** For tests: blocks in memory, and trees on disk turned into them. */

import { ShardctlError } from '../core/errors.ts';
import { type CidProfile, RAW, type Root } from '../core/model.ts';
import { toBytes } from '../core/path-bytes.ts';
import { cidText, sha256 } from '../dag/cid.ts';
import { profileOf } from '../dag/cid-profile.ts';
import type { Blocks } from '../read/blocks/block-source.ts';
import { treeRoot } from './tree-root.ts';

export class MemoryBlocks implements Blocks {
  readonly #blocks = new Map<string, Buffer>();

  /** Keeps the block; gives its digest. */
  readonly put = (block: Uint8Array): Uint8Array => {
    const digest = sha256(block);
    this.#blocks.set(keyOf(digest), Buffer.from(block));
    return digest;
  };

  async read(digest: Uint8Array): Promise<Uint8Array> {
    return this.now(digest);
  }

  now(digest: Uint8Array): Uint8Array {
    const block = this.#blocks.get(keyOf(digest));
    if (block === undefined) throw new ShardctlError('DAMAGE', `block ${cidText({ codec: RAW, digest }, 1)} is missing`);
    return block;
  }

  drop(digest: Uint8Array): void {
    this.#blocks.delete(keyOf(digest));
  }

  /** Reads a tree from disk, with its metadata unless told otherwise. */
  importTree(path: string, options: { metadata?: boolean; profile?: CidProfile } = {}): Promise<Root> {
    const { metadata = true, profile = profileOf('unixfs-v1-2025') } = options;
    return treeRoot(toBytes(path), { profile, metadata, emit: this.put });
  }
}

function keyOf(digest: Uint8Array): string {
  return Buffer.from(digest).toString('latin1');
}
