import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { sha256 } from '../dag/cid.ts';
import { ReadBuffers, RunCursor } from './run-cursor.ts';

const MOST_BYTES = 2 * 1024 * 1024;

/** A stream: so many blocks of it come, and so many bytes more, in pieces or by reads; one of the blocks may have a wrong byte. */
const stream = fc.record({
  blocks: fc.nat(4),
  bytes: fc.oneof(fc.nat(100), fc.nat(MOST_BYTES)),
  wrong: fc.option(fc.nat(4)),
  way: fc.constantFrom('file', 'copied', 'in place'),
});

/** As a file is read: into the buffer itself, by reads that end where a block does. */
function fill(cursor: RunCursor, bytes: Buffer): void {
  cursor.advance(0);
  for (let from = 0; from < bytes.length && !cursor.isDone; ) {
    const { buffer, at, most } = cursor.room;
    const count = bytes.copy(buffer, at, from, from + cursor.upToBlockEnd(Math.min(most, bytes.length - from)));
    from += count;
    cursor.advance(count);
  }
}

/** As from a socket: pieces are put where there is room for them. */
function pushInPlace(cursor: RunCursor, bytes: Buffer): void {
  for (let from = 0; from < bytes.length && !cursor.isDone; ) {
    const room = cursor.roomForPiece(256 * 1024);
    const count = bytes.copy(room, 0, from, from + room.length);
    from += count;
    cursor.push(room.subarray(0, count));
  }
}

test('however many streams break off: the block that was given last is as it was until the next one has been taken', () => {
  const buffers = new ReadBuffers();
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(0, 1, 50, 50, 50_000, MOST_BYTES), { minLength: 1, maxLength: 6 }),
      fc.array(stream, { minLength: 1, maxLength: 8 }),
      (sizes, streams) => {
        const blocks = sizes.map((size, number) => Buffer.alloc(size, `block ${number} `));
        const job = { lengths: Uint32Array.from(sizes), digests: Buffer.concat(blocks.map((block) => sha256(block))) };
        const starts = sizes.map((_, number) => sizes.slice(0, number).reduce((sum, size) => sum + size, 0));
        const taken = new Set<number>();
        let last: { readonly block: number; readonly bytes: Buffer } | undefined;
        const assertLast = () => last === undefined || assert.ok(last.bytes.equals(blocks[last.block] as Buffer));
        for (const { blocks: whole, bytes, wrong, way } of streams) {
          const first = sizes.findIndex((_, number) => !taken.has(number));
          if (first < 0) break;
          const stretch = { first, end: sizes.length, offsets: Float64Array.from(starts) };
          const cursor = new RunCursor(
            job,
            stretch,
            buffers,
            (block) => !taken.has(block),
            (block, its) => {
              assertLast();
              taken.add(block);
              last = { block, bytes: its };
              assertLast();
            },
          );
          const sent = Buffer.concat(blocks.map((block, number) => (number === wrong ? Buffer.alloc(block.length, 'wrong') : block)));
          const from = cursor.begin();
          const come = sent.subarray(from, Math.min((starts[first + whole] ?? sent.length) + bytes, sent.length));
          if (way === 'file') fill(cursor, come);
          else if (way === 'in place') pushInPlace(cursor, come);
          else cursor.push(come);
          assertLast();
        }
      },
    ),
    { numRuns: 60 },
  );
});
