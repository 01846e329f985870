/**
 * The bytes of a UnixFS file, or of a part of one, whatever its nodes are like: leaves that are raw or dag-pb, inline CIDs, nodes that do
 * not say the sizes of their parts. Holds the nodes from the root down to where it stands. A stranger's node may lie: no more bytes are
 * given out than were asked for, and a part of another size than its node says is damage.
 */
import { ShardctlError } from '../../core/errors.ts';
import { DAG_PB } from '../../core/model.ts';
import { textOfCid } from '../../dag/cid.ts';
import type { AnyCid } from '../../dag/foreign-cid.ts';
import { nodeLinks, unixFsOf } from '../../dag/node-links.ts';
import { Repetition } from '../../read/tree/repetition.ts';
import type { ContentBlocks } from './content-blocks.ts';
import type { Span } from './dag-walk.ts';
import type { CidBlock } from './resolved-path.ts';

const MOST_LEVELS = 64;

export interface FilePart {
  /** Bytes of the file in this block and below it. */
  readonly size: number;
  /** What the block itself has of them. */
  readonly own: Uint8Array;
  /** What a node says of the sizes of its parts; undefined for a leaf. */
  readonly blockSizes: readonly number[] | undefined;
}

/** @throws ShardctlError `DAMAGE` when the block is no part of a file */
export function filePartOf({ cid, bytes }: CidBlock): FilePart {
  if (cid.codec !== DAG_PB) return { size: bytes.length, own: bytes, blockSizes: undefined };
  const unixFs = unixFsOf(bytes);
  if (unixFs?.type !== 'file' && unixFs?.type !== 'raw') throw damaged(cid, 'is no part of a file');
  return { size: unixFs.fileBytes, own: unixFs.data ?? new Uint8Array(0), blockSizes: unixFs.blockSizes };
}

interface OpenPart {
  readonly cid: AnyCid;
  /** Offset in the file behind this part. */
  readonly end: number;
  readonly links: Iterator<{ readonly cid: AnyCid }>;
  readonly blockSizes: readonly number[];
  at: number;
  row: number;
}

export async function* fileBytes(root: CidBlock, { from, to }: Span, blocks: ContentBlocks): AsyncGenerator<Uint8Array> {
  const repetition = new Repetition();
  const stack: OpenPart[] = [];
  const enter = ({ cid, bytes }: CidBlock, start: number): Uint8Array => {
    const { size, own, blockSizes } = filePartOf({ cid, bytes });
    if (blockSizes !== undefined && size > own.length) {
      if (stack.length >= MOST_LEVELS) throw damaged(cid, 'is nested too deep');
      repetition.node(cid.digest, Math.max(1, blockSizes.length));
      stack.push({ cid, end: start + size, links: nodeLinks(bytes), blockSizes, at: start + own.length, row: 0 });
    }
    return own.subarray(Math.max(0, from - start), Math.max(0, Math.min(own.length, to - start)));
  };
  const first = enter(root, 0);
  if (first.length > 0) yield first;
  for (let part = stack.at(-1); part !== undefined; part = stack.at(-1)) {
    const link = part.at < Math.min(to, part.end) ? part.links.next() : undefined;
    if (link === undefined || link.done === true) {
      if (part.at < Math.min(to, part.end)) throw damaged(part.cid, `ends ${part.end - part.at} bytes before it says`);
      stack.pop();
      continue;
    }
    repetition.part();
    const start = part.at;
    const claimed = part.blockSizes[part.row++];
    part.at += claimed ?? 0;
    if (claimed !== undefined && (claimed === 0 || part.at <= from)) continue;
    const { cid } = link.value;
    const block = { cid, bytes: await blocks.read(cid) };
    const { size } = filePartOf(block);
    if (claimed !== undefined && size !== claimed) throw damaged(cid, `has ${size} bytes where its file says ${claimed}`);
    if (start + size > part.end) throw damaged(cid, 'has more bytes than its file says');
    part.at = start + size;
    const own = enter(block, start);
    if (own.length > 0) yield own;
  }
}

function damaged(cid: AnyCid, why: string): ShardctlError {
  return new ShardctlError('DAMAGE', `${textOfCid(cid.bytes)} ${why}`);
}
