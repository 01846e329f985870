/** The entries of a directory one after the other, in the order in which they stand: a listing holds no more than the nodes on the way, however many entries there are. */
import { BlockSet } from '../../core/block-set.ts';
import { ShardctlError } from '../../core/errors.ts';
import { DAG_PB } from '../../core/model.ts';
import { textOfCid } from '../../dag/cid.ts';
import { HASH_BITS } from '../../dag/hamt-slots.ts';
import { type NodeLink, nodeLinks, unixFsOf } from '../../dag/node-links.ts';
import type { ContentBlocks } from './content-blocks.ts';
import type { CidBlock } from './resolved-path.ts';

/** @param directory plain or HAMT @throws NotHere, ShardctlError when a node of a HAMT directory is not there, or cannot be a part of it */
export async function* entriesOf(directory: CidBlock, blocks: ContentBlocks): AsyncGenerator<NodeLink> {
  const root = unixFsOf(directory.bytes);
  if (root?.type !== 'hamt') return yield* nodeLinks(directory.bytes);
  const { fanout = 256 } = root;
  const digits = (fanout - 1).toString(16).length;
  // No node stands in two places: then there are no more links to follow than blocks that are stored.
  const met = new BlockSet();
  const stack = [nodeLinks(directory.bytes)];
  for (let links = stack.at(-1); links !== undefined; links = stack.at(-1)) {
    const step = links.next();
    if (step.done) {
      stack.pop();
      continue;
    }
    const { name, cid } = step.value;
    if (name.length > digits) {
      yield { ...step.value, name: name.slice(digits) };
      continue;
    }
    const bytes = await blocks.read(cid);
    const isPart = cid.codec === DAG_PB && unixFsOf(bytes)?.type === 'hamt' && met.add({ codec: DAG_PB, digest: cid.digest });
    if (!isPart || (stack.length + 1) * Math.log2(fanout) > HASH_BITS)
      throw new ShardctlError('DAMAGE', `the directory ${textOfCid(directory.cid.bytes)} has a slot that leads to what is no part of it`);
    stack.push(nodeLinks(bytes));
  }
}
