import assert from 'node:assert/strict';
import { lstatSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type BlockId, RAW } from '../../core/model.ts';
import { OutLooks } from '../out/out-looks.ts';
import { KnownEntries } from './known-entries.ts';
import { TreeEntries } from './tree-entries.ts';

function anOut(t: TestContext): { readonly out: string; readonly looks: OutLooks } {
  const out = mkdtempSync(join(tmpdir(), 'shardctl-tree-entries-'));
  const looks = new OutLooks(out);
  t.after(() => {
    looks.close();
    rmSync(out, { recursive: true });
  });
  return { out, looks };
}

const idOf = (byte: number): BlockId => ({ codec: RAW, digest: Buffer.alloc(32, byte) });

test('a directory of which an entry is gone when it is noted is not noted, and those around it are', (t) => {
  const { out, looks } = anOut(t);
  for (const name of ['a', 'b', 'c']) mkdirSync(join(out, name));
  for (const name of ['a/1', 'b/1', 'c/1', 'c/2']) writeFileSync(join(out, name), name);
  const entries = new TreeEntries(new KnownEntries());
  const came = (name: string, byte: number) => ({ name, id: idOf(byte), look: undefined });
  entries.add('', [came('a', 1), came('b', 2), came('c', 3)]);
  entries.add('a', [came('1', 4)]);
  // Somebody has taken the second one away.
  entries.add('b', [came('1', 5), came('2', 6)]);
  entries.add('c', [came('1', 7), came('2', 8)]);
  const { columns, directories } = entries.columns(looks, { from: 0n, to: 0n, lacks: () => false });
  assert.deepEqual(directories, [
    { path: '', first: 0 },
    { path: 'a', first: 3 },
    { path: 'c', first: 4 },
  ]);
  assert.deepEqual(
    Array.from({ length: columns.count }, (_, row) => columns.nameAt(row)),
    ['a', 'b', 'c', '1', '1', '2'],
  );
});

test('what somebody has written while it was being published is not noted as what was put there', (t) => {
  const { out, looks } = anOut(t);
  for (const name of ['old', 'edited', 'future']) {
    mkdirSync(join(out, name));
    writeFileSync(join(out, name, 'file'), name);
  }
  utimesSync(join(out, 'old/file'), 5, 5);
  utimesSync(join(out, 'future/file'), 2 ** 33, 2 ** 33);
  const { mtimeNs: to } = lstatSync(join(out, 'edited/file'), { bigint: true });
  const entries = new TreeEntries(new KnownEntries());
  for (const [i, name] of ['edited', 'future', 'old'].entries()) entries.add(name, [{ name: 'file', id: idOf(i), look: undefined }]);
  const { directories } = entries.columns(looks, { from: to - 1n, to, lacks: () => false });
  assert.deepEqual(
    directories.map(({ path }) => path),
    ['future', 'old'],
  );
});
