import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type ByteString, DAG_PB, RAW } from '../../core/model.ts';
import type { Look } from '../../source/look.ts';
import { readEntries, saveEntries } from './entries-file.ts';
import { EntryColumns } from './entry-columns.ts';

const [A_FILE, A_DIRECTORY, A_SYMLINK] = [0o100644, 0o040755, 0o120777];

function lookOf(mode: number, inodeLow = 1): Look {
  const times = { mtimeSeconds: -5, mtimeNanoseconds: 999_999_999, ctimeSeconds: 2 ** 40, ctimeNanoseconds: 1 };
  return { mode, size: 2 ** 50, ...times, inodeLow, inodeHigh: 2 ** 32 - 1 };
}

function directory(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'shardctl-entries-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** Names of every byte that a name may have. */
const NAMES: readonly ByteString[] = Array.from({ length: 255 }, (_, byte) => String.fromCharCode(byte + 1)).filter((name) => name !== '/');
const DIRECTORIES = [
  { path: '', first: 0 },
  { path: 'd', first: 1 },
  { path: 'd/\xff', first: 1 + NAMES.length },
];
const IDS = NAMES.map((_, i) => ({ codec: i % 3 === 0 ? RAW : DAG_PB, digest: Buffer.alloc(32, i) }) as const);

function entries(): EntryColumns {
  const columns = new EntryColumns();
  columns.add('d', { codec: DAG_PB, digest: Buffer.alloc(32, 255) }, lookOf(A_DIRECTORY));
  for (const [i, name] of NAMES.entries()) columns.add(name, IDS[i] as (typeof IDS)[number], lookOf(i % 2 === 0 ? A_FILE : A_SYMLINK, i));
  columns.add('\xfe', { codec: RAW, digest: Buffer.alloc(32, 254) }, lookOf(A_FILE));
  return columns;
}

test('what is noted is read again, whatever bytes the names have', (t) => {
  const dir = directory(t);
  saveEntries(dir, 'tree', { filters: 'f1', specialBits: true }, entries(), DIRECTORIES);
  const known = readEntries(dir);
  assert.deepEqual([known.tree, known.told, known.size], ['tree', { filters: 'f1', specialBits: true }, NAMES.length + 2]);
  for (const [i, name] of NAMES.entries()) {
    const row = known.get(`d/${name}`) as number;
    const id = IDS[i] as (typeof IDS)[number];
    assert.ok(known.columns.hasRoot(row, id), name);
    assert.ok(known.columns.isAs(row, lookOf(i % 2 === 0 ? A_FILE : A_SYMLINK, i)), name);
    if (id.codec === RAW || i % 2 === 0) assert.equal(known.withRoot(id)?.path, `d/${name}`);
  }
  assert.deepEqual(
    [known.get('d/\xff/\xfe'), known.get('d/ab'), known.get('e/a'), known.get('')],
    [NAMES.length + 1, undefined, undefined, undefined],
  );
  assert.deepEqual(known.directory('d'), { path: 'd', first: 1, end: 1 + NAMES.length });
});

test('rows that are taken over from what is known are the same rows', () => {
  const [from, to] = [entries(), new EntryColumns()];
  for (let row = 0; row < from.count; row += 7) to.addFrom(from, row, Math.min(row + 7, from.count));
  assert.deepEqual(to.columns, from.columns);
});

test('a look that differs in anything is not as it was noted', () => {
  const columns = entries();
  const row = 1;
  const same = lookOf(A_FILE, 0);
  assert.ok(columns.isAs(row, same));
  for (const field of Object.keys(same) as (keyof Look)[]) {
    const other = { ...same, [field]: field === 'mode' ? A_SYMLINK : same[field] - 1 };
    assert.ok(!columns.isAs(row, other), field);
  }
});

test('a file with any byte changed or cut off counts as none', (t) => {
  const dir = directory(t);
  const columns = new EntryColumns();
  columns.addFrom(entries(), 0, 3);
  saveEntries(dir, 'tree', { filters: 'f1', specialBits: false }, columns, DIRECTORIES.slice(0, 2));
  const bytes = readFileSync(join(dir, 'entries'));
  for (let at = 0; at < bytes.length; at++) {
    const changed = Buffer.from(bytes);
    changed[at] = (changed[at] as number) ^ 1;
    for (const torn of [changed, bytes.subarray(0, at)]) {
      writeFileSync(join(dir, 'entries'), torn);
      assert.deepEqual([readEntries(dir).size, readEntries(dir).tree], [0, undefined], `byte ${at}`);
    }
  }
});
