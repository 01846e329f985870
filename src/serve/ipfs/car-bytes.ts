/** A CARv1 of blocks under CIDs of any kind, made while it is read. Our own shards have CARs of their own (`shard/car.ts`), of fixed CIDs. */
import type { AnyCid } from '../../dag/foreign-cid.ts';
import type { CidBlock } from './resolved-path.ts';

/** Bytes that are gathered before they go out: a write for each small block would cost more than copying it. */
const PIECE_BYTES = 64 * 1024;

/** @param root the only root that the header names */
export async function* carOf(root: AnyCid, blocks: AsyncIterable<CidBlock>): AsyncGenerator<Buffer> {
  let parts: Uint8Array[] = [header(root)];
  let bytes = parts[0]?.length ?? 0;
  for await (const { cid, bytes: data } of blocks) {
    parts.push(varint(cid.bytes.length + data.length), cid.bytes, data);
    bytes += cid.bytes.length + data.length;
    if (bytes < PIECE_BYTES) continue;
    const piece = Buffer.concat(parts);
    // Before anybody waits: what a generator still names while its client reads stays in memory.
    parts = [];
    bytes = 0;
    yield piece;
  }
  if (parts.length > 0) yield Buffer.concat(parts);
}

/** dag-cbor of `{roots: [CID], version: 1}`, preceded by its length. A CID is tag 42 over a byte string that begins with 00. */
function header({ bytes }: AnyCid): Buffer {
  const length = 1 + bytes.length;
  const head = length < 24 ? [0x40 + length] : length < 256 ? [0x58, length] : [0x59, length >> 8, length & 0xff];
  const map = Buffer.concat([
    Buffer.from([0xa2, 0x65, ...Buffer.from('roots'), 0x81, 0xd8, 0x2a, ...head, 0x00]),
    bytes,
    Buffer.from([0x67, ...Buffer.from('version'), 0x01]),
  ]);
  return Buffer.concat([varint(map.length), map]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  return Buffer.from([...bytes, rest]);
}
