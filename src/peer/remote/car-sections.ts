/** The sections of a CAR that comes in over a connection, in pieces of any size. */
import { ShardctlError } from '../../core/errors.ts';
import type { Codec } from '../../core/model.ts';
import { SectionCursor } from '../../shard/car.ts';

/** A header holds a root or two; a longer one is not that of a shard's CAR. */
const MAX_HEADER_BYTES = 4096;
const MAX_VARINT_BYTES = 3;
const WINDOW_BYTES = 512 * 1024;

export interface StreamedSection {
  readonly codec: Codec;
  /** As the CAR says; nothing is hashed. Like `data` a view, valid until the next section is asked for. */
  readonly digest: Uint8Array;
  readonly data: Uint8Array;
}

/** @throws ShardctlError `DAMAGE` when it is not a CAR of what a shard holds, or ends within a section; whatever `pieces` throws */
export async function* carSections(pieces: AsyncIterable<Buffer>): AsyncGenerator<StreamedSection> {
  let inHeader = true;
  let rest: Buffer = Buffer.alloc(0);
  for await (const window of windows(pieces)) {
    rest = Buffer.concat([rest, window]);
    if (inHeader) {
      const end = headerBytes(rest);
      if (end === undefined || end > rest.length) continue;
      rest = rest.subarray(end);
      inHeader = false;
    }
    const cursor = new SectionCursor(rest);
    while (cursor.next()) {
      yield { codec: cursor.codec, digest: rest.subarray(cursor.digestAt, cursor.dataAt), data: rest.subarray(cursor.dataAt, cursor.end) };
    }
    rest = rest.subarray(cursor.end);
  }
  if (rest.length > 0 || inHeader) throw new ShardctlError('DAMAGE', 'the CAR ends within a section');
}

/** Joins pieces, so that a large section is not copied again for each of its pieces. */
async function* windows(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let gathered: Buffer[] = [];
  let bytes = 0;
  for await (const piece of pieces) {
    gathered.push(piece);
    bytes += piece.length;
    if (bytes < WINDOW_BYTES) continue;
    yield Buffer.concat(gathered);
    gathered = [];
    bytes = 0;
  }
  yield Buffer.concat(gathered);
}

/** Bytes of the header with its length in front; undefined when too few bytes are here to tell. */
function headerBytes(bytes: Buffer): number | undefined {
  let length = 0;
  for (const [at, byte] of bytes.subarray(0, MAX_VARINT_BYTES + 1).entries()) {
    length |= (byte & 0x7f) << (7 * at);
    if (length > MAX_HEADER_BYTES || at >= MAX_VARINT_BYTES) throw new ShardctlError('DAMAGE', 'what came is not a CAR');
    if (byte < 0x80) return at + 1 + length;
  }
  return undefined;
}
