import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { UnreadableIndex } from '../claims/claim.ts';
import { unpacked } from './unpacked.ts';

async function* inParts(bytes: Buffer, size = 100_000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function read(packed: AsyncIterable<Uint8Array>): Promise<{ readonly bytes: Buffer; readonly error: unknown }> {
  const parts: Uint8Array[] = [];
  try {
    for await (const part of unpacked('.gz', packed, new AbortController().signal)) parts.push(part);
  } catch (error) {
    return { bytes: Buffer.concat(parts), error };
  }
  return { bytes: Buffer.concat(parts), error: undefined };
}

const TEXT = Buffer.from(Array.from({ length: 20_000 }, (_, i) => `Package: p${i}\n`).join(''));

test('gzip is unpacked whether it is small, packed large, unpacked large, or in several members', async () => {
  for (const bytes of [Buffer.alloc(0), TEXT, randomBytes(3_000_000), Buffer.alloc(20_000_000, 'a')]) {
    const { bytes: found, error } = await read(inParts(gzipSync(bytes)));
    assert.equal(error, undefined);
    assert.ok(found.equals(bytes), `${bytes.length} bytes`);
  }
  const members = Buffer.concat([gzipSync(TEXT), gzipSync(TEXT)]);
  assert.ok((await read(inParts(members))).bytes.equals(Buffer.concat([TEXT, TEXT])));
});

test('what is cut off or changed is unreadable, after what could be unpacked', async () => {
  const packed = gzipSync(TEXT);
  const cut = await read(inParts(packed.subarray(0, packed.length >> 1)));
  assert.ok(cut.error instanceof UnreadableIndex);
  assert.ok(cut.bytes.length > 0 && cut.bytes.equals(TEXT.subarray(0, cut.bytes.length)));
  const changed = Buffer.from(packed);
  changed.fill(0xff, packed.length >> 1, (packed.length >> 1) + 50);
  assert.ok((await read(inParts(changed))).error instanceof UnreadableIndex);
});

test('an error of whoever gives the bytes is that error, and whoever stops ends the source', async () => {
  let closed = 0;
  async function* failing(after: number): AsyncGenerator<Uint8Array> {
    try {
      for (let i = 0; i < after; i++) yield randomBytes(400_000);
      throw new Error('of the disk');
    } finally {
      closed++;
    }
  }
  assert.match(String((await read(failing(0))).error), /of the disk/);
  assert.match(String((await read(failing(1))).error), /of the disk/);
  assert.equal(closed, 2);
  const large = gzipSync(randomBytes(3_000_000));
  await new Promise<void>((resolve) => {
    async function* noting(): AsyncGenerator<Uint8Array> {
      try {
        yield* inParts(large);
      } finally {
        resolve();
      }
    }
    const stopping = async () => {
      for await (const _ of unpacked('.gz', noting(), new AbortController().signal)) break;
    };
    void stopping();
  });
});
