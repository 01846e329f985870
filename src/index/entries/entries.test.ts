import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { DAG_PB, DIRECTORY, FILE } from '../../core/model.ts';
import { CID_COLUMN_BYTES, Directory, DROPPED, NO_CTIME } from '../../walk/directory.ts';
import { EntriesDamaged } from './format.ts';
import { EntriesReader } from './reader.ts';
import { EntriesWriter } from './writer.ts';

let dir: string;
let hot: string;
let cold: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'shardctl-entries-'));
  hot = join(dir, '1.hot');
  cold = join(dir, '1.cold');
});
afterEach(() => rmSync(dir, { recursive: true }));

const HEADER = { rootMode: 0o2755, rootMtime: -5n };
const never = () => false;

function directory(path: string, names: string[], parent?: Directory): Directory {
  const made = new Directory(path, parent, parent === undefined ? -1 : 0, names);
  for (const [i, name] of names.entries()) {
    made.setStat(i, name.endsWith('/') ? DIRECTORY : FILE, {
      mode: 0o100644 + i,
      size: 2 ** 40 + i,
      mtimeNs: BigInt(i) * 10n ** 18n - 7n,
      ctimeNs: BigInt(i) + 1n,
      inode: 2n ** 63n + BigInt(i),
    });
  }
  return made;
}

function setRoots(it: Directory): void {
  for (let i = 0; i < it.count; i++) it.setRoot(i, DAG_PB, Buffer.alloc(32, i + 1), 0, 1000 + i);
}

/** As the walk goes: entered top down, left bottom up. */
function writeAll(writer: EntriesWriter, root: Directory, children: readonly Directory[]): void {
  writer.enter(root);
  for (const child of children) {
    writer.enter(child);
    setRoots(child);
    writer.leave(child);
  }
  setRoots(root);
  writer.leave(root);
  writer.finish();
}

/** A root with two subdirectories. */
function write(isRacy: (ctimeNs: bigint) => boolean = never): Directory[] {
  const writer = new EntriesWriter(hot, cold, HEADER, isRacy);
  const root = directory('', ['a', 'gro\xdf', 'z']);
  const many = directory(
    'a',
    Array.from({ length: 9000 }, (_, i) => `entry-${String(i).padStart(5, '0')}`),
    root,
  );
  const empty = directory('z', [], root);
  root.states[1] = DROPPED;
  writeAll(writer, root, [many, empty]);
  return [root, many, empty];
}

test('what is read is what was written, in walk order, without what was dropped', () => {
  const [, many] = write() as [Directory, Directory, Directory];
  const reader = EntriesReader.open(hot, cold);
  assert.deepEqual({ ...reader.header, pair: undefined }, { ...HEADER, pair: undefined });
  const first = reader.next();
  assert.deepEqual([first?.path, first?.names], ['', ['a', 'z']]);
  assert.equal(first?.mtimes[1], 2n * 10n ** 18n - 7n);
  const second = reader.next();
  assert.deepEqual([second?.path, second?.names.length], ['a', 9000]);
  for (const column of ['sizes', 'mtimes', 'ctimes', 'inodes', 'modes', 'kinds'] as const) {
    assert.deepEqual([...(second?.[column] ?? [])], [...many[column]], column);
  }
  const third = reader.next();
  assert.deepEqual([third?.path, third?.names], ['z', []]);
  assert.equal(reader.next(), undefined);

  const root = reader.cold(0, 2);
  assert.deepEqual([...root.dagSizes], [1000, 1002]);
  assert.deepEqual(root.cids.subarray(CID_COLUMN_BYTES), Buffer.concat([Buffer.from([DAG_PB]), Buffer.alloc(32, 3)]));
  const deep = reader.cold(1, 9000);
  assert.equal(deep.dagSizes[8999], 1000 + 8999);
  reader.close();
});

test('what is copied from the parent reads as it does there, in however many directories', () => {
  const writer = new EntriesWriter(hot, cold, HEADER, never);
  const names = Array.from({ length: 3000 }, (_, i) => `d${String(i).padStart(5, '0')}`);
  const root = directory('', names);
  writeAll(
    writer,
    root,
    names.map((name, i) => directory(name, ['a', 'b'].slice(0, i % 3), root)),
  );

  const parent = EntriesReader.open(hot, cold);
  const copy = { hot: join(dir, '2.hot'), cold: join(dir, '2.cold') };
  const copier = new EntriesWriter(copy.hot, copy.cold, HEADER, never);
  copier.enter(root);
  const cursor = parent.another();
  for (let i = 1; i <= names.length; i++) copier.copy(cursor, i, 1);
  copier.leave(root);
  copier.finish();
  const copied = EntriesReader.open(copy.hot, copy.cold);
  for (let record = parent.next(); record !== undefined; record = parent.next()) {
    const other = copied.next();
    assert.deepEqual([other?.path, other?.names, other?.inodes], [record.path, record.names, record.inodes]);
    const [its, theirs] = [parent.cold(record.ordinal, record.names.length), copied.cold(record.ordinal, record.names.length)];
    assert.deepEqual([[...theirs.cids], [...theirs.dagSizes]], [[...its.cids], [...its.dagSizes]]);
  }
  assert.equal(copied.next(), undefined);
  parent.close();
  copied.close();
});

test('a racy entry gets a ctime that no file has', () => {
  write((ctimeNs) => ctimeNs === 3n);
  const reader = EntriesReader.open(hot, cold);
  assert.deepEqual([...(reader.next()?.ctimes ?? [])], [1n, NO_CTIME]);
  reader.close();
});

test('damage is found before it is believed: flipped bits, torn tails', () => {
  write();
  const good = readFileSync(hot);
  const readAll = () => {
    const reader = EntriesReader.open(hot, cold);
    try {
      while (reader.next() !== undefined) reader.cold(0, 2);
    } finally {
      reader.close();
    }
  };
  readAll();
  for (const at of [40, 500, good.length - 1]) {
    const flipped = Buffer.from(good);
    flipped[at] = flipped.readUInt8(at) ^ 1;
    writeFileSync(hot, flipped);
    assert.throws(readAll, { code: 'DAMAGE', message: /1\.hot/ }, `byte ${at}`);
  }
  for (const length of [0, 10, 37, good.length - 5]) {
    writeFileSync(hot, good.subarray(0, length));
    assert.throws(readAll, { code: 'DAMAGE' }, `${length} bytes`);
  }
  writeFileSync(hot, good);
  truncateSync(cold, readFileSync(cold).length - 3);
  assert.throws(readAll, { code: 'DAMAGE', message: /1\.cold/ });
});

test('with a bit flipped anywhere the entries are refused, or say the same but for the root’s own mode and time', () => {
  const writer = new EntriesWriter(hot, cold, HEADER, never);
  const root = directory('', ['a', 'b']);
  const child = directory('a', ['x', 'y', 'z'], root);
  writeAll(writer, root, [child]);
  const contents = () => {
    const reader = EntriesReader.open(hot, cold);
    try {
      const records: unknown[] = [];
      for (let record = reader.next(); record !== undefined; record = reader.next()) {
        const { own: _, ...all } = record;
        const { cids, dagSizes } = reader.cold(record.ordinal, record.names.length);
        records.push(structuredClone({ ...all, cids: [...cids], dagSizes: [...dagSizes] }));
      }
      return records;
    } finally {
      reader.close();
    }
  };
  const right = contents();
  let refused = 0;
  for (const path of [hot, cold]) {
    const good = readFileSync(path);
    for (let bit = 0; bit < good.length * 8; bit += 3) {
      const bytes = Buffer.from(good);
      bytes[bit >> 3] = bytes.readUInt8(bit >> 3) ^ (1 << (bit & 7));
      writeFileSync(path, bytes);
      try {
        assert.deepEqual(contents(), right);
      } catch (error) {
        assert.ok(error instanceof EntriesDamaged, `${path} bit ${bit}: ${error}`);
        refused++;
      }
    }
    writeFileSync(path, good);
  }
  assert.ok(refused > 1000, `${refused}`);
});
