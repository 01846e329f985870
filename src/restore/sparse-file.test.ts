import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { SparseFile } from './sparse-file.ts';

let dir: string;
before(() => {
  dir = mkdtempSync(join(tmpdir(), 'shardctl-sparse-'));
});
after(() => rmSync(dir, { recursive: true }));

function written(pieces: readonly Uint8Array[]): { bytes: Buffer; blocks: number } {
  const path = join(dir, 'file');
  const fd = openSync(path, 'w');
  const file = new SparseFile(fd);
  for (const piece of pieces) file.write(piece);
  file.end();
  closeSync(fd);
  return { bytes: readFileSync(path), blocks: statSync(path).blocks };
}

test('whatever is written, in whatever pieces, is read', () => {
  const run = fc.record({ fill: fc.constantFrom(0, 0, 1), length: fc.oneof(fc.constantFrom(1, 4095, 4096, 4097, 8192), fc.nat(20_000)) });
  fc.assert(
    fc.property(fc.array(run, { maxLength: 8 }), fc.array(fc.nat(20_000), { maxLength: 6 }), (runs, cuts) => {
      const bytes = Buffer.concat(runs.map(({ fill, length }) => Buffer.alloc(length, fill)));
      const ends = [...cuts.map((cut) => Math.min(cut, bytes.length)).sort((a, b) => a - b), bytes.length];
      const pieces = ends.map((end, i) => bytes.subarray(ends[i - 1] ?? 0, end));
      assert.ok(written(pieces).bytes.equals(bytes));
    }),
    { numRuns: 300 },
  );
});

test('blocks of zeros take no room, wherever they are and however they come', () => {
  const megabyte = 1024 * 1024;
  const island = Buffer.alloc(4 * megabyte);
  island.fill('x', megabyte, megabyte + 4096);
  assert.ok(written([island]).blocks * 512 <= 64 * 1024);
  assert.ok(written([Buffer.from('x'), ...Array(64).fill(Buffer.alloc(megabyte))]).blocks * 512 <= 64 * 1024);
});
