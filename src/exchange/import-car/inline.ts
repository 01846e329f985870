/** Blocks that the links of a node carry in their CIDs: identity CIDs, as `ipfs add --inline` and Lotus write them. */

import { isDamage } from '../../core/errors.ts';
import { DAG_PB } from '../../core/model.ts';
import { decodeNamedNode } from '../../dag/dag-pb.ts';

/** Every block that is inline in a dag-pb block or in a block that is inline there, as views. It ends: each is smaller than the one that carries it. */
export function* inlineIn(block: Uint8Array): Generator<Uint8Array> {
  for (const { codec, inline } of linksOf(block)) {
    if (inline === undefined) continue;
    yield inline;
    if (codec === DAG_PB) yield* inlineIn(inline);
  }
}

/** None for a block that is no node: if the tree needs it, the walk of the tree refuses it. */
function linksOf(block: Uint8Array) {
  try {
    return decodeNamedNode(block).links;
  } catch (error) {
    if (isDamage(error)) return [];
    throw error;
  }
}
