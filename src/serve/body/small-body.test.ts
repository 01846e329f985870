import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { sha256 } from '../../dag/cid.ts';
import type { Extent } from '../../read/stored/stored-blocks.ts';
import { hashesEach } from '../../testing/hashes-each.ts';
import { endWith, readSmall, SMALL_BYTES } from './small-body.ts';

const bytes = Buffer.from(Array.from({ length: SMALL_BYTES + 1 }, (_, at) => at % 251));
let dir: string;
let fd: number;
before(() => {
  dir = mkdtempSync(join(tmpdir(), 'shardctl-small-'));
  writeFileSync(join(dir, 'car'), bytes);
  fd = openSync(join(dir, 'car'), 'r');
});
after(() => {
  closeSync(fd);
  rmSync(dir, { recursive: true });
});

const extent = (at: number, length: number) => ({ file: { fd, ...hashesEach }, at, length }) as unknown as Extent;
const read = (at: number, length: number, from = at) => readSmall(extent(from, length), sha256(bytes.subarray(at, at + length)));

/** Ends a response to which the system took all or nothing. @returns what it was ended with, still the same buffer */
function ended(body: Uint8Array, socket: object | null, httpVersionMajor = 1): Uint8Array {
  let sent: Uint8Array = new Uint8Array(0);
  const end = (given: Uint8Array) => {
    sent = given;
  };
  const response = { socket, end } as unknown as ServerResponse;
  endWith({ httpVersionMajor } as IncomingMessage, response, body);
  return sent;
}

test('a block is read as it lies there; not one that is another, cut or large', () => {
  assert.deepEqual(read(10, 100), bytes.subarray(10, 110));
  assert.deepEqual(read(0, SMALL_BYTES), bytes.subarray(0, SMALL_BYTES));
  assert.equal(read(10, 100, 11), undefined, 'another');
  assert.equal(readSmall(extent(SMALL_BYTES, 10), sha256(bytes.subarray(SMALL_BYTES))), undefined, 'cut');
  assert.equal(read(0, SMALL_BYTES + 1), undefined, 'large');
  assert.equal(readSmall({ ...extent(0, 10), file: { fd: -1 } } as unknown as Extent, sha256(bytes.subarray(0, 10))), undefined, 'closed');
});

test('a body that still waits for its client is not written into', () => {
  for (const [socket, version] of [
    [{ writableLength: 1 }, 1],
    [{ writableLength: 0, encrypted: true }, 1],
    [{ writableLength: 0 }, 2],
    [null, 1],
  ] as const) {
    const sent = ended(read(0, 100) ?? Buffer.alloc(0), socket, version);
    read(100, 100);
    assert.deepEqual(sent, bytes.subarray(0, 100));
  }
});
