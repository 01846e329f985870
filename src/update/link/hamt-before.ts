/** The HAMT that a large directory was in the parent: the parts of it in which no entry differs are used again as they are. */
import { ShardctlError } from '../../core/errors.ts';
import type { BlockId, ByteString, CidProfile } from '../../core/model.ts';
import type { HamtBefore } from '../../dag/hamt-writer.ts';
import { decodeNode } from '../../dag/node-reader.ts';
import { CID_COLUMN_BYTES, type Directory, SAME } from '../../walk/directory.ts';

/** A directory with fewer entries is encoded sooner than its old root comes from a peer. */
const LEAST_ENTRIES = 1000;
/** With more than one change among so many entries, hardly a slot of the root is without one, and nothing could be used again. */
const LEAST_ENTRIES_A_CHANGE = 16;

/** Most bytes of a link besides its name: a CID of 36 bytes, a size of 8, their tags and lengths. */
const LINK_BYTES = 56;

/** Whether the directory may be large enough to be a HAMT. If it is not, fetching its old root and that shard's manifest would be for nothing. */
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

/** @returns undefined when too much has changed, or no peer gives the old root: then the directory is encoded from its entries */
export async function hamtBefore(directory: Directory, { treeBefore, readNode }: HamtSource): Promise<HamtBefore | undefined> {
  const before = rootBefore(directory, treeBefore);
  if (before === undefined || directory.base === undefined) return undefined;
  const changed: ByteString[] = [...directory.base.removed];
  for (let i = 0; i < directory.count; i++) if (directory.states[i] !== SAME) changed.push(directory.nameOf(i));
  if (changed.length * LEAST_ENTRIES_A_CHANGE > directory.count) return undefined;
  try {
    return { root: decodeNode(await readNode(before)), changed };
  } catch (error) {
    if (error instanceof ShardctlError) return undefined;
    throw error;
  }
}

/** Digest of the directory's old root: `takeOver` has put the parent's CID into the directory above, and `link` has not replaced it yet. */
function rootBefore({ parent, indexInParent }: Directory, treeBefore: BlockId | undefined): Uint8Array | undefined {
  if (parent === undefined) return treeBefore?.digest;
  const at = indexInParent * CID_COLUMN_BYTES;
  return parent.cids === undefined || parent.cids[at] === 0 ? undefined : Buffer.from(parent.cids.subarray(at + 1, at + CID_COLUMN_BYTES));
}
