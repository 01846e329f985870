import assert from 'node:assert/strict';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { differenceOf } from './same-tree.ts';

const dir = mkdtempSync(join(tmpdir(), 'shardctl-same-tree-'));
after(() => rmSync(dir, { recursive: true, force: true }));
const [one, other] = [join(dir, 'one'), join(dir, 'other')];
const never = new AbortController().signal;

mkdirSync(join(one, 'pool'), { recursive: true });
writeFileSync(join(one, 'pool', 'a'), Buffer.alloc(3_000_000, 'a'));
writeFileSync(join(one, 'pool', 'b'), '');
symlinkSync('a', join(one, 'pool', 'link'));

/** Times stay. */
function changed(path: string, change: (whole: string) => void): void {
  rmSync(other, { recursive: true, force: true });
  cpSync(one, other, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true });
  for (const each of ['pool/a', 'pool/b', 'pool', '']) for (const tree of [one, other]) utimesSync(join(tree, each), 1e9, 1e9);
  change(join(other, path));
  if (path === '') return;
  for (const each of ['pool', '']) utimesSync(join(other, each), 1e9, 1e9);
}

test('equal trees have no difference', async () => {
  changed('pool/a', () => {});
  assert.equal(await differenceOf(one, other, never), undefined);
});

for (const [what, change] of [
  ['another mtime', (whole: string) => utimesSync(whole, 1e9, 1e9 + 1)],
  ['another mode', (whole: string) => chmodSync(whole, 0o700)],
] as const) {
  test(`the directory itself is compared, too: ${what}`, async () => {
    changed('', change);
    assert.equal(await differenceOf(one, other, never), `the directory itself: ${what}`);
  });
}

test('entries of a name that is passed over make no difference, wherever they are', async () => {
  changed('pool', (pool) => {
    mkdirSync(join(pool, '.kept', 'below'), { recursive: true });
    writeFileSync(join(pool, '..', '.kept'), 'a');
  });
  assert.equal(await differenceOf(one, other, never, '.kept'), undefined);
  assert.equal(await differenceOf(one, other, never), '.kept: only one has it');
});

for (const [what, path, change] of [
  [
    'other bytes',
    'pool/a',
    (whole: string) => {
      writeFileSync(whole, Buffer.alloc(3_000_000, 'a').fill('b', 2_999_999));
      utimesSync(whole, 1e9, 1e9);
    },
  ],
  ['another mtime', 'pool/b', (whole: string) => utimesSync(whole, 1e9, 1e9 + 1)],
  ['another mode', 'pool/b', (whole: string) => chmodSync(whole, 0o600)],
  [
    'another target',
    'pool/link',
    (whole: string) => {
      unlinkSync(whole);
      symlinkSync('b', whole);
    },
  ],
  [
    'another kind of entry',
    'pool/link',
    (whole: string) => {
      unlinkSync(whole);
      writeFileSync(whole, 'a');
    },
  ],
  ['only one has it', 'pool/b', (whole: string) => unlinkSync(whole)],
] as const) {
  test(`a difference is found: ${what}`, async () => {
    changed(path, change);
    assert.equal(await differenceOf(one, other, never), `${path}: ${what}`);
    assert.equal(await differenceOf(other, one, never), `${path}: ${what}`);
  });
}
