/**
 * `export --car`: writes a tree as one CARv1 whose root is the tree's. Parents come before children, and each block once under
 * each CID that links to it, as `ipfs dag import` and `import-car` take it. Streams; holds 44 to 88 bytes a block, to know which
 * blocks are written already.
 */
import { BlockSet } from '../core/block-set.ts';
import type { Emit } from '../core/events.ts';
import { type BlockId, type ByteString, RAW } from '../core/model.ts';
import { type CidVersion, cidText, parseCid } from '../dag/cid.ts';
import { decodeNode, type Link } from '../dag/node-reader.ts';
import type { Blocks } from '../read/blocks/block-source.ts';
import { resolve } from '../read/tree/tree.ts';
import { treeCarHeader, treeSectionHead } from './tree-car/write.ts';

/** Bytes are gathered into writes of this size. */
const WRITE_BYTES = 256 * 1024;

export interface ExportRun {
  readonly root: BlockId;
  /** Inside the tree; empty for all of it. */
  readonly path: ByteString;
  readonly cidVersion: CidVersion;
  readonly blocks: Blocks;
  /** Takes bytes; false when the reader of the CAR has gone, and nothing more is to be written. */
  readonly write: (bytes: Buffer) => Promise<boolean>;
  readonly emit: Emit;
  readonly signal: AbortSignal;
}

export interface Exported {
  /** CID of the tree that was exported. */
  readonly root: string;
  readonly blocks: number;
  /** Bytes of the CAR. */
  readonly bytes: number;
}

/** @throws ShardctlError `NOT_FOUND` when there is no such path, `DAMAGE` when a block cannot be read */
export async function exportCar({ root: tree, path, cidVersion, blocks, write, emit, signal }: ExportRun): Promise<Exported> {
  const { codec, digest } = await resolve(tree, path, blocks);
  const root = parseCid(cidText({ codec, digest }, cidVersion));
  const totalBytes = await dagBytesOf(root, blocks);
  const written = new BlockSet();
  const waiting: Waiting[] = [{ ...root, dagSize: totalBytes }];
  /** Bytes of the DAG that lie behind: a part that is there twice is written once, and passed twice. */
  let passed = 0;
  const tell = () => emit({ type: 'progress', label: 'export', done: written.size, total: 0, bytes: passed, totalBytes });
  let pieces: Buffer[] = [treeCarHeader(root, cidVersion)];
  let gathered = pieces[0]?.length ?? 0;
  let bytes = 0;
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (next.inline !== undefined) {
      // An inline block travels in the CID that links to it.
      passed += next.inline.length;
      waiting.push(...linksIn(next, next.inline));
      continue;
    }
    if (!written.add(next)) {
      passed += next.dagSize;
      continue;
    }
    signal.throwIfAborted();
    const block = await blocks.read(next.digest);
    passed += block.length;
    const head = treeSectionHead(next, block.length, cidVersion);
    pieces.push(head, Buffer.from(block));
    gathered += head.length + block.length;
    for (const link of linksIn(next, block)) waiting.push(link);
    if (gathered < WRITE_BYTES) continue;
    if (!(await write(Buffer.concat(pieces)))) break;
    bytes += gathered;
    [pieces, gathered] = [[], 0];
    tell();
  }
  await write(Buffer.concat(pieces));
  tell();
  return { root: cidText(root, cidVersion), blocks: written.size, bytes: bytes + gathered };
}

/** What is still to be written, or passed. */
type Waiting = Pick<Link, 'codec' | 'digest' | 'inline' | 'dagSize'>;

/** Bytes of a DAG by its root's word, where each part counts as often as it is linked to. What a stranger's root says may be wrong. */
async function dagBytesOf({ codec, digest }: BlockId, blocks: Blocks): Promise<number> {
  const block = await blocks.read(digest);
  return linksIn({ codec }, block).reduce((sum, { dagSize }) => sum + dagSize, block.length);
}

/** Reversed, because the stack gives the last link first: so children come in their order. */
function linksIn({ codec }: Pick<BlockId, 'codec'>, block: Uint8Array): readonly Link[] {
  return codec === RAW ? [] : decodeNode(block).links.toReversed();
}
