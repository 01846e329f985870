/** The blocks of files that a request sees. Each leaf is asked for, too: a node that a request sees may lead to leaves that it does not. */
import { UnlistedBlock } from '../../read/blocks/block-source.ts';
import type { FileBlocks } from '../../read/files/file-leaves.ts';

/** @param sees is asked before the block is looked for: what is hidden takes as long as what is not there */
export function seenBlocks(blocks: FileBlocks, sees: (digest: Uint8Array) => boolean): FileBlocks {
  return {
    ofView: blocks.ofView ?? blocks,
    read: async (digest) => {
      if (sees(digest)) return await blocks.read(digest);
      throw new UnlistedBlock(digest);
    },
    sizeOf: async (digest) => (sees(digest) ? await blocks.sizeOf(digest) : undefined),
    extentOf: async (digest) => (sees(digest) ? await blocks.extentOf(digest) : undefined),
    extentNow: (digest) => (sees(digest) ? blocks.extentNow(digest) : undefined),
  };
}
