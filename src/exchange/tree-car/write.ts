/**
 * What `export` writes around blocks: the header of a CARv1, and the head of each section. `CarWriter` of @ipld/car gives the same
 * bytes (a test compares them), by a CID object and a channel: 2.2 µs a block instead of 0.6.
 */
import type { BlockId } from '../../core/model.ts';
import { type CidVersion, cidBytes, cidLength } from '../../dag/cid.ts';

const ROOTS = Buffer.from([0xa2, 0x65, ...Buffer.from('roots'), 0x81, 0xd8, 0x2a, 0x58]);
const VERSION_1 = Buffer.from([0x67, ...Buffer.from('version'), 0x01]);

/** The header of a CARv1 whose only root is `root`: dag-cbor of `{roots: [CID], version: 1}` behind its length. */
export function treeCarHeader(root: BlockId, version: CidVersion): Buffer {
  const cid = cidBytes(root, version);
  const header = Buffer.concat([ROOTS, Buffer.from([cid.length + 1, 0]), cid, VERSION_1]);
  return Buffer.concat([varint(header.length), header]);
}

/** What stands before a block's bytes: the section's length, and the CID. */
export function treeSectionHead(block: BlockId, length: number, version: CidVersion): Buffer {
  return Buffer.concat([varint(cidLength(block.codec, version) + length), cidBytes(block, version)]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  return Buffer.from([...bytes, rest]);
}
