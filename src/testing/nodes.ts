/** For tests of trees in which files hold the very bytes of the tree's own nodes: then a leaf and a node have one digest. */

import { type BlockId, RAW } from '../core/model.ts';
import { parseCid } from '../dag/cid.ts';
import { decodeNode } from '../dag/node-reader.ts';
import type { Blocks } from '../read/blocks/block-source.ts';

export interface FoundNode {
  readonly bytes: Buffer;
  readonly links: number;
}

/** Every node below `tree` once, root first. */
export async function nodesOf(tree: string, blocks: Blocks): Promise<FoundNode[]> {
  const found = new Map<string, FoundNode>();
  const visit = async ({ codec, digest }: BlockId): Promise<void> => {
    const key = Buffer.from(digest).toString('hex');
    if (codec === RAW || found.has(key)) return;
    const bytes = Buffer.from(await blocks.read(digest));
    const { links } = decodeNode(bytes);
    found.set(key, { bytes, links: links.length });
    for (const link of links) await visit(link);
  };
  await visit(parseCid(tree));
  return [...found.values()];
}
