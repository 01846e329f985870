/**
 * The blocks that a CAR is to have, depth first: those on the path, then those of what the path leads to, as far as the client asks for
 * them. Holds the nodes from the root down to where it stands. A DAG may be a stranger's: its depth, the bytes of those nodes, and how
 * often it may come back to the same few blocks are bounded.
 */
import { BlockSet } from '../../core/block-set.ts';
import { ShardctlError } from '../../core/errors.ts';
import { Turns } from '../../core/event-loop.ts';
import { DAG_PB } from '../../core/model.ts';
import { textOfCid } from '../../dag/cid.ts';
import { type AnyCid, inlineBytes } from '../../dag/foreign-cid.ts';
import { type NodeLink, nodeLinks, unixFsOf } from '../../dag/node-links.ts';
import type { UnixFs } from '../../dag/unixfs-reader.ts';
import { Repetition } from '../../read/tree/repetition.ts';
import type { CarRequest, EntityBytes } from './car-request.ts';
import type { ContentBlocks } from './content-blocks.ts';
import type { MetBlocks } from './met-blocks.ts';
import type { CidBlock, ResolvedPath } from './resolved-path.ts';

/** As deep as boxo goes. */
const MOST_LEVELS = 1024;
/** The nodes that are open at once: 32 of the largest that IPFS takes. */
const MOST_OPEN_BYTES = 64 * 1024 * 1024;

export interface WalkOptions {
  readonly blocks: ContentBlocks;
  /** Undefined: a block comes as often as it is linked. */
  readonly met: MetBlocks | undefined;
}

/** Others are answered in between. */
const TURN_MS = 10;

/** Part of a file, by offsets in it: `to` is behind the last byte. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** A node on the way from the root to where the walk stands. */
interface OpenNode {
  readonly bytes: number;
  /** The next link to follow; undefined at the end. */
  readonly next: () => Branch | undefined;
}

/** A link that is to be followed, and what becomes of the block behind it. */
interface Branch {
  readonly cid: AnyCid;
  /** The block was not sent yet, or duplicates are wanted. */
  readonly isWanted: boolean;
  /** Opens the node that the block is, where the walk goes on below it. */
  readonly open: (block: CidBlock) => OpenNode | undefined;
}

export async function* blocksFor({ way, last }: ResolvedPath, request: CarRequest, options: WalkOptions): AsyncGenerator<CidBlock> {
  const { blocks } = options;
  const walk = new Walk(options);
  const turns = new Turns(undefined, TURN_MS);
  for (const block of way) if (walk.isWanted(block.cid)) yield block;
  const root = { cid: last, bytes: await blocks.read(last) };
  if (walk.isWanted(last)) yield root;
  const stack = [walk.openRoot(root, request)];
  let openBytes = root.bytes.length;
  for (let node = stack.at(-1); node !== undefined; node = stack.at(-1)) {
    // Blocks that are at hand are read at once, and a stranger's file may have many parts of which none is sent.
    await turns.give();
    const branch = node.next();
    if (branch === undefined) {
      stack.pop();
      openBytes -= node.bytes;
      continue;
    }
    const block = { cid: branch.cid, bytes: await blocks.read(branch.cid) };
    if (branch.isWanted) yield block;
    const below = branch.open(block);
    if (below === undefined) continue;
    stack.push(below);
    openBytes += below.bytes;
    if (stack.length > MOST_LEVELS || openBytes > MOST_OPEN_BYTES)
      throw new ShardctlError('DAMAGE', `what is below ${textOfCid(last.bytes)} is nested too deep`);
  }
}

class Walk {
  readonly #met: MetBlocks | undefined;
  readonly #repetition = new Repetition();
  /** Nodes of a file all of whose bytes are wanted: what is below them was sent, where nothing is sent twice. */
  readonly #wholes = new BlockSet();

  constructor({ met }: WalkOptions) {
    this.#met = met;
  }

  /** Whether the block itself goes out: an inline block never does, and another at most once where the client wants no duplicates. */
  isWanted(cid: AnyCid): boolean {
    return inlineBytes(cid) === undefined && (this.#met === undefined || this.#met.add(cid));
  }

  openRoot(root: CidBlock, { scope, bytes }: CarRequest): OpenNode | undefined {
    if (root.cid.codec !== DAG_PB || scope === 'block') return undefined;
    if (scope === 'all') return this.#everythingIn(root);
    const unixFs = unixFsIn(root);
    if (unixFs?.type === 'hamt') return this.#hamtIn(root, unixFs);
    if (unixFs?.type !== 'file') return undefined;
    const span = spanOf(bytes, unixFs.fileBytes);
    return span.from < span.to ? this.#fileIn(root, unixFs, span) : undefined;
  }

  #everythingIn(node: CidBlock): OpenNode {
    return this.#open(node, ({ cid }) => {
      const isWanted = this.isWanted(cid);
      // What is below a block that was sent was sent, too. An inline node leads to blocks that are not.
      if (!isWanted && inlineBytes(cid) === undefined) return undefined;
      return { cid, isWanted, open: (block) => (cid.codec === DAG_PB ? this.#everythingIn(block) : undefined) };
    });
  }

  /** The other nodes of a HAMT directory, without what its entries lead to. */
  #hamtIn(node: CidBlock, { fanout = 256 }: UnixFs): OpenNode {
    const digits = (fanout - 1).toString(16).length;
    return this.#open(node, ({ name, cid }) => {
      if (name.length > digits || cid.codec !== DAG_PB) return undefined;
      const open = (block: CidBlock) => {
        const unixFs = unixFsIn(block);
        return unixFs?.type === 'hamt' ? this.#hamtIn(block, unixFs) : undefined;
      };
      return { cid, isWanted: this.isWanted(cid), open };
    });
  }

  /** The blocks of a file that a reader of `span` needs. @param span counted from the beginning of this node */
  #fileIn(node: CidBlock, { data, blockSizes }: UnixFs, span: Span): OpenNode {
    let at = data?.length ?? 0;
    let row = 0;
    return this.#open(node, ({ cid }) => {
      const claimed = blockSizes[row++];
      const start = at;
      at += claimed ?? 0;
      // Some writers leave out the sizes of the parts: then each part is read, and says its own.
      if (start >= span.to || (claimed !== undefined && (claimed === 0 || at <= span.from))) return undefined;
      const isWanted = this.isWanted(cid);
      if (claimed !== undefined && !isWanted && (cid.codec !== DAG_PB || this.#isDone(cid, start, at, span))) return undefined;
      const open = (block: CidBlock) => {
        const unixFs = cid.codec === DAG_PB ? unixFsIn(block) : undefined;
        if (claimed === undefined) at = start + (unixFs?.fileBytes ?? block.bytes.length);
        if (unixFs === undefined || start + unixFs.fileBytes <= span.from) return undefined;
        if (!isWanted && this.#isDone(cid, start, start + unixFs.fileBytes, span)) return undefined;
        if (this.#met !== undefined && isWhole(start, start + unixFs.fileBytes, span))
          this.#wholes.add({ codec: DAG_PB, digest: cid.digest });
        return this.#fileIn(block, unixFs, { from: span.from - start, to: span.to - start });
      };
      return { cid, isWanted, open };
    });
  }

  /** Whether all that a node has was sent before, and nothing is to be sent twice. */
  #isDone({ digest }: AnyCid, from: number, to: number, span: Span): boolean {
    return this.#met !== undefined && isWhole(from, to, span) && this.#wholes.has({ codec: DAG_PB, digest });
  }

  /** @param branchOf says what becomes of a link; undefined: it is not followed */
  #open({ cid, bytes }: CidBlock, branchOf: (link: NodeLink) => Branch | undefined): OpenNode {
    let count = 0;
    for (const _ of nodeLinks(bytes)) count++;
    this.#repetition.node(cid.digest, count);
    const links = nodeLinks(bytes);
    const next = () => {
      for (let step = links.next(); !step.done; step = links.next()) {
        this.#repetition.part();
        const branch = branchOf(step.value);
        if (branch !== undefined) return branch;
      }
      return undefined;
    };
    return { bytes: bytes.length, next };
  }
}

function isWhole(from: number, to: number, span: Span): boolean {
  return from >= span.from && to <= span.to;
}

/** @returns undefined for dag-pb that is no UnixFS: it is no entity of which there could be more */
function unixFsIn({ bytes }: CidBlock): UnixFs | undefined {
  try {
    return unixFsOf(bytes);
  } catch (error) {
    if (error instanceof ShardctlError) return undefined;
    throw error;
  }
}

/** @param bytes as the client asked for them; what lies beyond the file is cut off */
export function spanOf(bytes: EntityBytes | undefined, size: number): Span {
  if (bytes === undefined) return { from: 0, to: size };
  const from = bytes.from < 0 ? Math.max(0, size + bytes.from) : bytes.from;
  const last = bytes.to === undefined ? size - 1 : bytes.to < 0 ? size + bytes.to : bytes.to;
  return { from, to: Math.min(size, last + 1) };
}
