/** Blocks that a node's links carry in themselves, as identity CIDs (`ipfs add --inline`, Lotus). */

import { isDamage } from '../../core/errors.ts';
import { DAG_PB } from '../../core/model.ts';
import { decodeNamedNode } from '../../dag/dag-pb.ts';

/** What is inline in a dag-pb block, and in what is inline there, and so on: views. Each level is smaller than the one that carries it. */
export function* inlineIn(block: Uint8Array): Generator<Uint8Array> {
  for (const { codec, inline } of linksOf(block)) {
    if (inline === undefined) continue;
    yield inline;
    if (codec === DAG_PB) yield* inlineIn(inline);
  }
}

/** Nothing of what is no node: whether the tree needs it is seen when the tree is walked. */
function linksOf(block: Uint8Array) {
  try {
    return decodeNamedNode(block).links;
  } catch (error) {
    if (isDamage(error)) return [];
    throw error;
  }
}
