/** The tree above the leaves of a file, laid out by ipfs-unixfs-importer. Apart from `file.ts`, so that import workers need not load that library. */
import { balanced } from 'ipfs-unixfs-importer/layout';
import { type CidProfile, DAG_PB, type Metadata, type Root } from '../core/model.ts';
import { encodeFileNode, type FileChild } from './file-node.ts';

export type { FileChild };

/** What the layout passes between its levels: it knows `ImportResult`s, of which it reads nothing. */
type Layout = (source: Iterable<FileChild>, reduce: (children: FileChild[]) => Promise<FileChild>) => Promise<FileChild | undefined>;

/**
 * Builds the nodes above the leaves: balanced, metadata in the root alone, so that a `touch` makes one new node. A file
 * of one leaf is that leaf, or with metadata a root that links it; without leaves it is one node.
 * @param emit stores a block, children before parents, and returns its digest
 */
export async function buildFileTree(
  leaves: readonly FileChild[],
  metadata: Metadata | undefined,
  profile: Pick<CidProfile, 'maxFileLinks' | 'cidVersion'>,
  emit: (block: Buffer) => Uint8Array,
): Promise<Root & FileChild> {
  const [first] = leaves;
  if (first !== undefined && leaves.length === 1 && metadata === undefined) return first;
  const { maxFileLinks, cidVersion } = profile;
  const layout = balanced({ maxChildrenPerNode: maxFileLinks }) as unknown as Layout;
  // The layout does not say which call makes the root; it is the one whose children hold the whole file.
  const isRoot = rootTest(leaves.length, maxFileLinks);
  const root = await layout(leaves, async (children) => {
    const block = encodeFileNode(children, isRoot() ? metadata : undefined, cidVersion);
    return {
      codec: DAG_PB,
      digest: emit(block),
      fileBytes: children.reduce((sum, child) => sum + child.fileBytes, 0),
      dagSize: children.reduce((sum, child) => sum + child.dagSize, block.length),
    };
  });
  return root as FileChild;
}

/** True on the call for the last of all nodes. */
function rootTest(leaves: number, maxLinks: number): () => boolean {
  let nodes = 0;
  for (let level = leaves; level > 1 || nodes === 0; ) {
    level = Math.ceil(level / maxLinks);
    nodes += level;
  }
  return () => --nodes === 0;
}
