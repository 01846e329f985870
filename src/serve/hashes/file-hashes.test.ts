import assert from 'node:assert/strict';
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { COLLIDING } from '../../testing/colliding.ts';
import { FileHashes } from './file-hashes.ts';

let dir: string;
before(() => {
  dir = mkdtempSync(join(tmpdir(), 'shardctl-file-hashes-'));
});
after(() => rmSync(dir, { recursive: true, force: true }));

const digest = (number: number) => COLLIDING[number * 37] as Buffer;

test('several processes see what any of them has noted, and so does the next one; the last of several files with one hash is given', () => {
  const step = fc.record({
    what: fc.constantFrom('add', 'add', 'add', 'ask', 'reopen', 'delete'),
    process: fc.nat(2),
    hash: fc.nat(6),
    root: fc.nat(9),
  });
  const law = fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
    const home = mkdtempSync(join(dir, 'home-'));
    const open = [0, 1, 2].map(() => new FileHashes(join(home, 'cache')));
    const at = (i: number) => open[i] as FileHashes;
    /** Roots have one hash each, so whoever hashes one finds the same. */
    const hashOf = new Map<number, number>();
    let isDeleted = false;
    for (const { what, process, hash, root } of steps) {
      if (what === 'add') {
        if (!hashOf.has(root)) hashOf.set(root, hash);
        at(process).add(digest(hashOf.get(root) as number), digest(100 + root));
      } else if (what === 'ask') {
        const found = at(process).rootOf(digest(hash));
        const roots = [...hashOf].filter(([, its]) => its === hash).map(([its]) => digest(100 + its).toString('hex'));
        if (found !== undefined) assert.ok(roots.includes(Buffer.from(found.digest).toString('hex')));
        else assert.ok(roots.length === 0 || isDeleted);
      } else if (what === 'reopen') {
        at(process).close();
        open[process] = new FileHashes(join(home, 'cache'));
      } else {
        rmSync(join(home, 'cache'), { recursive: true, force: true });
        isDeleted = true;
      }
    }
    for (const hashes of open) hashes.close();
  });
  fc.assert(law, { numRuns: 100 });
});

test('a cut or changed record is never believed: the file is begun anew', () => {
  const cache = join(dir, 'damaged');
  const path = join(cache, 'sha256-1');
  const fill = () => {
    const hashes = new FileHashes(cache);
    for (let i = 0; i < 5; i++) hashes.add(digest(i), digest(100 + i));
    hashes.close();
  };
  for (const damage of [
    () => truncateSync(path, statSync(path).size - 10),
    () => {
      const bytes = readFileSync(path);
      bytes[70] = (bytes[70] as number) ^ 1;
      writeFileSync(path, bytes);
    },
    () => appendFileSync(path, Buffer.alloc(200, 7)),
  ]) {
    fill();
    damage();
    const hashes = new FileHashes(cache);
    for (let i = 0; i < 5; i++) {
      const found = hashes.rootOf(digest(i));
      if (found !== undefined) assert.deepEqual(Buffer.from(found.digest), digest(100 + i));
    }
    hashes.add(digest(50), digest(150));
    hashes.close();
    const next = new FileHashes(cache);
    assert.deepEqual(Buffer.from(next.rootOf(digest(50))?.digest ?? []), digest(150));
    next.close();
    rmSync(cache, { recursive: true });
  }
});

test('where nothing can be written, or no directory was given, hashes are kept in memory; nothing is made before there is something to keep', () => {
  const file = join(dir, 'file');
  writeFileSync(file, '');
  for (const where of [undefined, join(file, 'cache')]) {
    const hashes = new FileHashes(where);
    assert.equal(hashes.isInUse, false);
    hashes.add(digest(1), digest(101));
    assert.deepEqual(Buffer.from(hashes.rootOf(digest(1))?.digest ?? []), digest(101));
    assert.deepEqual([hashes.isHashed(digest(101)), hashes.isHashed(digest(1)), hashes.isInUse], [true, false, true]);
    hashes.close();
  }
  mkdirSync(join(dir, 'empty'));
  const idle = new FileHashes(join(dir, 'empty', 'cache'));
  assert.equal(idle.rootOf(digest(1)), undefined);
  idle.close();
  assert.equal(existsSync(join(dir, 'empty', 'cache')), false);
});
