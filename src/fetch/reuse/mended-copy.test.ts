import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { loadLibc } from '../../core/libc.ts';
import { profileNamed } from '../../dag/cid-profile.ts';
import { readEntry } from '../../read/tree/tree.ts';
import { Destination } from '../../restore/destination.ts';
import { MemoryBlocks } from '../../testing/memory-blocks.ts';
import { mendedCopy } from './mended-copy.ts';

const LEAF_BYTES = 1024;
const profile = profileNamed(`unixfs-v1-2025+size-${LEAF_BYTES}`);

let dir: string;
let destination: Destination;
before(async () => {
  dir = mkdtempSync(join(tmpdir(), 'shardctl-mended-'));
  const libc = await loadLibc();
  destination = new Destination({ libc, overwrite: true, specialBits: false, warn: () => {} });
});
after(() => rmSync(dir, { recursive: true }));

/** Leaves by letters. */
const text = (letters: string) => Buffer.concat([...letters].map((letter) => Buffer.alloc(LEAF_BYTES, letter)));

async function mend(from: Buffer, meant: Buffer) {
  const blocks = new MemoryBlocks();
  const [source, old, to] = [join(dir, 'source'), join(dir, 'old'), join(dir, 'to')];
  writeFileSync(source, meant);
  writeFileSync(old, from);
  const entry = await readEntry(await blocks.importTree(source, { profile }), blocks);
  const mended = await mendedCopy(old, to, entry, blocks, destination);
  const made = existsSync(to) ? readFileSync(to) : undefined;
  rmSync(to, { force: true });
  return { mended, made };
}

test('what is mended is the file, and leaves are read only where the old file has others; of no use is what has none of them', async () => {
  const letters = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(letters, letters, fc.nat(LEAF_BYTES - 1), async (old, meant, rest) => {
      const wanted = Buffer.concat([text(meant), Buffer.alloc(rest, 'r')]);
      const { mended, made } = await mend(text(old), wanted);
      const isKept = [...meant].map((letter, at) => old[at] === letter);
      if (mended === undefined) assert.ok(made === undefined && !isKept.includes(true));
      else {
        assert.deepEqual(made, wanted);
        const read = isKept.filter((kept) => !kept).length * LEAF_BYTES + rest;
        assert.equal(mended.readBytes, read);
      }
    }),
  );
});

test('an old file of which nothing is of use is not copied, however large it is', async () => {
  const [old, to] = [join(dir, 'huge'), join(dir, 'copy')];
  writeFileSync(old, '');
  // A copy of it would fill the disk.
  truncateSync(old, 2 ** 40);
  const blocks = new MemoryBlocks();
  writeFileSync(join(dir, 'source'), text('abc'));
  const entry = await readEntry(await blocks.importTree(join(dir, 'source'), { profile }), blocks);
  assert.equal(await mendedCopy(old, to, entry, blocks, destination), undefined);
  assert.ok(!existsSync(to));
});
