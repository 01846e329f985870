/** What is told of an entry, by its own block. */
import { type BlockId, DIRECTORY, FILE, RAW, SYMLINK } from '../../core/model.ts';
import { type DagNode, decodeNode, onlyLeafOf } from '../../dag/node-reader.ts';
import { UnlistedBlock } from '../../read/blocks/block-source.ts';
import type { ContentBlocks } from './file-content.ts';
import type { EntryFacts } from './inodes.ts';

/** Of entries that say nothing of it, as IPFS has them. */
const DEFAULT_MODES = { [FILE]: 0o644, [DIRECTORY]: 0o755 };
const SYMLINK_MODE = 0o777;
const ORDINARY_BITS = 0o777;

export interface FactsOptions {
  /** Show setuid, setgid and sticky bits: who copies the tree as root makes such files. */
  readonly specialBits: boolean;
}

/** @throws ShardctlError `DAMAGE` or `TOO_FEW_PEERS` when its block cannot be had intact; UnlistedBlock; MovedBlock */
export async function factsOf({ codec, digest }: BlockId, blocks: ContentBlocks, options: FactsOptions): Promise<EntryFacts> {
  if (codec === RAW) {
    const size = await blocks.sizeOf(digest);
    if (size === undefined) throw new UnlistedBlock(digest);
    return { codec, digest, kind: FILE, size, mode: DEFAULT_MODES[FILE], mtimeNs: 0n };
  }
  const node = decodeNode(blocks.readNow(digest) ?? (await blocks.read(digest)));
  const { mtimeNs = 0n } = node;
  const common = { codec, digest, mtimeNs };
  if (node.type === 'symlink') return { ...common, kind: SYMLINK, size: node.data?.length ?? 0, mode: SYMLINK_MODE };
  const kind = node.type === 'file' || node.type === 'raw' ? FILE : DIRECTORY;
  const mode = modeOf(node, kind, options);
  return kind === FILE
    ? { ...common, kind, size: node.fileBytes, mode, leaf: onlyLeafOf(node)?.digest }
    : { ...common, kind, size: 0, mode };
}

function modeOf({ mode }: DagNode, kind: typeof FILE | typeof DIRECTORY, { specialBits }: FactsOptions): number {
  if (mode === undefined) return DEFAULT_MODES[kind];
  return specialBits ? mode : mode & ORDINARY_BITS;
}
