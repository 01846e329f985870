/**
 * The tree above the leaves of a large file, laid out by ipfs-unixfs-importer and encoded by @ipld/dag-pb.
 *
 * Of the importer the layout is used, through its export `ipfs-unixfs-importer/layout`. `importFile` would also cut, hash and encode,
 * and cannot here: it encodes by ipfs-unixfs, whose bytes are not Kubo's (see `dag-pb.ts`), and it reads one stream on one thread,
 * where workers read and hash pieces of a file at once. For 2 GB it took 2.6 to 2.8 s without storing anything; a whole add, stored,
 * took 2.3 to 3.1.
 *
 * Apart from `file-node.ts`, so that import workers need not load these libraries.
 */
import type { ImportResult } from 'ipfs-unixfs-importer';
import { balanced, type Reducer } from 'ipfs-unixfs-importer/layout';
import type { CID } from 'multiformats/cid';
import { type CidProfile, DAG_PB, type Metadata, type Root } from '../core/model.ts';
import { type CidVersion, cidObject } from './cid.ts';
import { encodeInnerNode } from './dag-pb.ts';
import type { FileChild } from './file-node.ts';

/** A leaf or a node as the importer's layouts hand it on: they read nothing of it. */
class LaidOut implements ImportResult {
  readonly child: FileChild;
  readonly #version: CidVersion;

  constructor(child: FileChild, version: CidVersion) {
    this.child = child;
    this.#version = version;
  }

  get cid(): CID {
    return cidObject(this.child, this.#version);
  }

  get size(): bigint {
    return BigInt(this.child.dagSize);
  }
}

/**
 * Builds the nodes above the leaves: balanced, metadata in the root alone, so that a `touch` makes one new node. A file
 * of one leaf is that leaf, or with metadata a root that links it.
 * @param leaves in the order of the file; one at least
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
  // The layout does not say which call makes the root; it is the one whose children hold the whole file.
  const isRoot = rootTest(leaves.length, maxFileLinks);
  const reduce: Reducer = async (parts) => {
    const children = parts.map(childOf);
    const block = encodeInnerNode(children, isRoot() ? metadata : undefined, cidVersion);
    const node: FileChild = {
      codec: DAG_PB,
      digest: emit(block),
      fileBytes: children.reduce((sum, child) => sum + child.fileBytes, 0),
      dagSize: children.reduce((sum, child) => sum + child.dagSize, block.length),
    };
    return new LaidOut(node, cidVersion);
  };
  const layout = balanced({ maxChildrenPerNode: maxFileLinks });
  return childOf(
    await layout(
      leaves.map((leaf) => new LaidOut(leaf, cidVersion)),
      reduce,
    ),
  );
}

function childOf(part: ImportResult): FileChild {
  if (part instanceof LaidOut) return part.child;
  throw new Error('the layout made a part of its own');
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
