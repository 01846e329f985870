import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { freshBeside, probeBeside, replaceFileSync } from './fresh-file.ts';

let dir: string;
let path: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'shardctl-fresh-'));
  path = join(dir, 'shardctl.prom');
});
afterEach(() => rmSync(dir, { recursive: true }));

test('what stands where the file is to be is replaced, and what a symlink there leads to stays as it was', () => {
  writeFileSync(join(dir, 'victim'), 'precious');
  symlinkSync('victim', path);
  replaceFileSync(path, 'whole', true);
  assert.equal(readFileSync(path, 'utf8'), 'whole');
  assert.equal(readFileSync(join(dir, 'victim'), 'utf8'), 'precious');
  assert.deepEqual(readdirSync(dir).sort(), ['shardctl.prom', 'victim']);
});

test('two that write one file have names of their own, which no collector takes for metrics', () => {
  assert.notEqual(freshBeside(path), freshBeside(path));
  assert.doesNotMatch(freshBeside(path), /\.prom$/);
});

test('what cannot be put in its place leaves nothing behind, and neither does the look whether it could', () => {
  rmSync(dir, { recursive: true });
  assert.throws(() => replaceFileSync(path, 'whole', false), { code: 'ENOENT' });
  assert.throws(() => probeBeside(path), { code: 'ENOENT' });
  dir = mkdtempSync(join(tmpdir(), 'shardctl-fresh-'));
  assert.throws(() => replaceFileSync(dir, 'whole', false));
  assert.deepEqual(
    readdirSync(tmpdir()).filter((name) => name.startsWith(`${dir.slice(tmpdir().length + 1)}.`)),
    [],
  );
  probeBeside(join(dir, 'page.html'));
  assert.deepEqual(readdirSync(dir), []);
});

test('what killed runs have left of this file goes, and nothing that is being written or is of another file', () => {
  const [dead, young, another] = [freshBeside(path), freshBeside(path), freshBeside(join(dir, 'other.prom'))];
  for (const left of [dead, young, another, `${path}.part`]) writeFileSync(left, 'half');
  // The name that is listed first cannot be removed.
  const stuck = `${path}.${'0'.repeat(16)}.part`;
  mkdirSync(stuck);
  const hoursAgo = Date.now() / 1000 - 2 * 3600;
  for (const left of [stuck, dead, another, `${path}.part`]) utimesSync(left, hoursAgo, hoursAgo);
  replaceFileSync(path, 'whole', false);
  const expected = [path, stuck, young, another, `${path}.part`].map((left) => left.slice(dir.length + 1));
  assert.deepEqual(readdirSync(dir).sort(), expected.sort());
});
