import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type BodyFraming, ChunkedBody, CountedBody, UncountedBody } from './body-framing.ts';
import { GatewayFailure } from './failure.ts';

/** What the framing takes for the body when the bytes of the connection come in pieces that end at these places. */
function bodyIn(framing: BodyFraming, bytes: Buffer, cuts: readonly number[]): { readonly body: Buffer; readonly isOver: boolean } {
  const pieces: Buffer[] = [];
  const take = (piece: Buffer) => pieces.push(Buffer.from(piece)) > 0;
  const ends = [...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  for (let at = 0; ; at = ends.shift() as number) {
    const [end] = ends;
    if (end === undefined) return { body: Buffer.concat(pieces), isOver: false };
    if (!framing.push(bytes.subarray(at, end), take)) return { body: Buffer.concat(pieces), isOver: true };
  }
}

const chunks = fc
  .array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { maxLength: 6 })
  .map((all) => all.map((chunk) => Buffer.from(chunk)));
const cuts = fc.array(fc.nat(), { maxLength: 8 });

/** As a server may write it: with zeros in front of the sizes, extensions, and trailers. */
function chunked(parts: readonly Buffer[], { extension = '', trailers = '' } = {}): Buffer {
  const said = parts.map((part) => Buffer.concat([Buffer.from(`0${part.length.toString(16)}${extension}\r\n`), part, Buffer.from('\r\n')]));
  return Buffer.concat([...said, Buffer.from(`0\r\n${trailers}\r\n`)]);
}

test('a body is what was sent, wherever its bytes are cut on their way, and ends where it ends', () => {
  const ways = fc.constantFrom({}, { extension: ' ; name="a;b"' }, { trailers: 'X-Stream-Error:\r\nother: x\r\n' });
  fc.assert(
    fc.property(chunks, cuts, ways, (parts, places, way) => {
      const body = Buffer.concat(parts);
      const more = Buffer.from('HTTP/1.1 200 OK\r\n');
      assert.deepEqual(bodyIn(new ChunkedBody(), Buffer.concat([chunked(parts, way), more]), places), { body, isOver: true });
      if (body.length > 0)
        assert.deepEqual(bodyIn(new CountedBody(body.length), Buffer.concat([body, more]), places), { body, isOver: true });
      assert.deepEqual(bodyIn(new UncountedBody(), body, places), { body, isOver: false });
    }),
  );
});

test('a chunked body that is cut short is not over', () => {
  fc.assert(
    fc.property(chunks, cuts, fc.nat(), (parts, places, at) => {
      const whole = chunked(parts, { trailers: 'a: b\r\n' });
      // Without its last byte at least.
      const { isOver } = bodyIn(new ChunkedBody(), whole.subarray(0, at % whole.length), places);
      assert.ok(!isOver);
    }),
  );
});

test('chunks that make no sense are no HTTP, and a trailer that says what went wrong is a failure', () => {
  const failing = (text: string): GatewayFailure => {
    try {
      bodyIn(new ChunkedBody(), Buffer.from(text), [3]);
    } catch (error) {
      if (error instanceof GatewayFailure) return error;
    }
    return assert.fail(`${text.slice(0, 30)} is taken`);
  };
  const nonsense = [
    'x\r\n',
    '-1\r\n',
    '\r\n',
    'ffffffffffffffff\r\n',
    '1\r\nab\r\n',
    '0x1\r\na\r\n',
    'a'.repeat(2000),
    `0\r\n${'a'.repeat(70_000)}`,
  ];
  for (const text of [...nonsense, `0\r\n${`a: ${'b'.repeat(1000)}\r\n`.repeat(80)}`]) assert.equal(failing(text).kind, 'lies');
  const { kind, message } = failing('1\r\na\r\n0\r\nX-Stream-Error: it is gone\r\n\r\n');
  assert.deepEqual([kind, message], ['broken', 'it is gone']);
});
