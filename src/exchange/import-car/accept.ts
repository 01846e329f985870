/**
 * Checks whether the tree of a CAR is taken: all its blocks must be there, its files must have the sizes that its nodes say, and a
 * walk of it must end. It walks with the code that reads trees later, so a tree that is taken can be read.
 */
import type { DigestMap } from '../../core/digest-map.ts';
import { ShardctlError } from '../../core/errors.ts';
import type { Emit } from '../../core/events.ts';
import { type BlockId, DIRECTORY, SYMLINK } from '../../core/model.ts';
import type { Blocks } from '../../read/blocks/block-source.ts';
import { type Measured, measureReceived } from '../../read/tree/measure.ts';
import { liveBlocks } from '../../read/tree/reachable.ts';
import { readEntry, type TreeEntry } from '../../read/tree/tree.ts';
import type { Received } from './received.ts';

export interface AcceptOptions {
  /** What the CAR is called in messages. */
  readonly name: string;
  /** Reads what the CAR brought, and what this home had before. */
  readonly blocks: Blocks;
  readonly received: Pick<Received, 'bytes' | 'lengthOf'>;
  readonly emit: Emit;
  readonly signal: AbortSignal;
}

export interface AcceptedTree extends Measured {
  readonly root: TreeEntry;
  /** Every block that it reaches. */
  readonly live: DigestMap;
}

/** @throws ShardctlError `DAMAGE`; `UnlistedBlock` from `blocks` when a block of the tree is in no shard */
export async function acceptTree(id: BlockId, { name, blocks, received, emit, signal }: AcceptOptions): Promise<AcceptedTree> {
  const live = await liveBlocks([id], { blocks, emit, signal });
  const root = await readEntry(id, blocks);
  if (root.kind !== DIRECTORY)
    throw new ShardctlError('DAMAGE', `${name} holds a single ${root.kind === SYMLINK ? 'symlink' : 'file'}, not a tree`, {
      hint: '`ipfs add -rw` wraps it in a directory',
    });
  // The lengths of the CAR's blocks are known; a block that this home had already is read.
  const leafBytes = async (digest: Uint8Array) => received.lengthOf(digest) ?? (await blocks.read(digest)).length;
  const measured = await measureReceived(root, { blocks, signal }, { bytes: received.bytes, leafBytes });
  return { ...measured, root, live };
}
