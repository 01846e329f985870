/** A large directory as the parent has it, to take over the parts of it in which nothing differs. */

import { ShardctlError } from '../../core/errors.ts';
import type { BlockId, ByteString, CidProfile } from '../../core/model.ts';
import type { HamtBefore } from '../../dag/hamt-writer.ts';
import { decodeNode } from '../../dag/node-reader.ts';
import { CID_COLUMN_BYTES, type Directory, SAME } from '../../walk/directory.ts';

/** A smaller directory is made anew sooner than its old root comes from a peer. */
const LEAST_ENTRIES = 1000;
/** With more changes than one in so many entries, hardly a slot of the root has none. */
const LEAST_ENTRIES_A_CHANGE = 16;

/** A link takes this much at most besides its name: a CID of 36 bytes, a size of 8, their tags and lengths. */
const LINK_BYTES = 56;

/** Whether it may be large enough. The root of one that is not would be fetched for nothing, and with it its shard's manifest. */
export function mayBeHamt({ base, count, names }: Directory, { hamtThreshold }: CidProfile): boolean {
  if (base === undefined || count < LEAST_ENTRIES) return false;
  let bytes = count * LINK_BYTES;
  for (let i = 0; i < count && bytes <= hamtThreshold; i++) bytes += (names[i] as ByteString).length;
  return bytes > hamtThreshold;
}

export interface HamtSource {
  /** The root of the parent's tree. */
  readonly treeBefore: BlockId | undefined;
  readonly readNode: (digest: Uint8Array) => Promise<Uint8Array>;
}

/** @returns undefined when it is not worth it, or the old root cannot be had: then the directory is made anew */
export async function hamtBefore(directory: Directory, { treeBefore, readNode }: HamtSource): Promise<HamtBefore | undefined> {
  const before = rootBefore(directory, treeBefore);
  if (before === undefined || directory.base === undefined) return undefined;
  const changed: ByteString[] = [...directory.base.removed];
  for (let i = 0; i < directory.count; i++) if (directory.states[i] !== SAME) changed.push(directory.names[i] as ByteString);
  if (changed.length * LEAST_ENTRIES_A_CHANGE > directory.count) return undefined;
  try {
    return { root: decodeNode(await readNode(before)), changed };
  } catch (error) {
    if (error instanceof ShardctlError) return undefined;
    throw error;
  }
}

/** What `compare` took from the parent's entries, and nothing has replaced yet. */
function rootBefore({ parent, indexInParent }: Directory, treeBefore: BlockId | undefined): Uint8Array | undefined {
  if (parent === undefined) return treeBefore?.digest;
  const at = indexInParent * CID_COLUMN_BYTES;
  return parent.cids === undefined || parent.cids[at] === 0 ? undefined : Buffer.from(parent.cids.subarray(at + 1, at + CID_COLUMN_BYTES));
}
