import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import fc from 'fast-check';
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
  const writer = new EntriesWriter({ hot, cold }, HEADER, isRacy);
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
  const writer = new EntriesWriter({ hot, cold }, HEADER, never);
  const names = Array.from({ length: 3000 }, (_, i) => `d${String(i).padStart(5, '0')}`);
  const root = directory('', names);
  writeAll(
    writer,
    root,
    names.map((name, i) => directory(name, ['a', 'b'].slice(0, i % 3), root)),
  );

  const parent = EntriesReader.open(hot, cold);
  const copy = { hot: join(dir, '2.hot'), cold: join(dir, '2.cold') };
  const copier = new EntriesWriter(copy, HEADER, never);
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

interface Tree {
  readonly files: number;
  /** Of which not in the snapshot. */
  readonly dropped: readonly number[];
  /** Dropped only after the directory was entered. */
  readonly vanished: readonly number[];
  readonly isWide: boolean;
  readonly below: readonly Tree[];
  /** When it is written a second time, the parent's records are copied. */
  readonly isCopied: boolean;
}

const { tree } = fc.letrec<{ tree: Tree }>((tie) => ({
  tree: fc.record({
    files: fc.oneof({ weight: 9, arbitrary: fc.nat(4) }, { weight: 1, arbitrary: fc.nat(3000) }),
    dropped: fc.array(fc.nat(5), { maxLength: 2 }),
    vanished: fc.array(fc.nat(5), { maxLength: 2 }),
    isWide: fc.boolean(),
    below: fc.oneof({ maxDepth: 3 }, fc.constant([]), fc.array(tie('tree'), { maxLength: 5 })),
    isCopied: fc.boolean(),
  }),
}));

/** Writes a tree as the walk goes, and gives what must be read. @param parent its records are copied where the tree says so */
function writeTree(it: Tree, parent?: EntriesReader): string[] {
  const expected: string[] = [];
  const target = parent === undefined ? { hot, cold } : { hot: join(dir, '2.hot'), cold: join(dir, '2.cold') };
  const writer = new EntriesWriter(target, HEADER, (ctimeNs) => ctimeNs === 2n);
  const cursor = parent?.another();
  const count = ({ below }: Tree): number => below.reduce((sum, child) => sum + count(child), 1);
  let ordinal = 0;
  let isCopying = false;
  const visit = (node: Tree, path: string, above: Directory | undefined) => {
    const starts = cursor !== undefined && node.isCopied && !isCopying;
    // What is not copied differs: the copies come to lie elsewhere in the files.
    const isOther = cursor !== undefined && !starts && !isCopying;
    const names = Array.from({ length: node.files + (isOther ? 1 : 0) }, (_, i) => `${String(i).padStart(4, '0')}\xe9`);
    const made = directory(path, [...names, ...node.below.map((_, i) => `d${i}`)], above);
    setRoots(made);
    for (const i of node.dropped) if (i < node.files) made.drop(i);
    if (starts) {
      writer.copy(cursor, ordinal, count(node));
      isCopying = true;
    }
    ordinal++;
    const live = [...made.live()];
    if (!isCopying) writer.enter(made);
    const at = expected.push('') - 1;
    for (const [i, child] of node.below.entries()) visit(child, path === '' ? `d${i}` : `${path}/d${i}`, made);
    for (const i of node.vanished) if (i < node.files) made.drop(i);
    if (node.isWide) made.dagSizes?.fill(2 ** 40);
    expected[at] = textOf(
      path,
      live.map((i) => entryText(made, i)),
    );
    if (!isCopying) writer.leave(made);
    if (starts) isCopying = false;
  };
  visit(it, '', undefined);
  writer.finish();
  return expected;
}

const textOf = (path: string, entries: readonly string[]) => `${path}: ${entries.join(', ')}`;
function entryText({ names, kinds, modes, sizes, mtimes, ctimes, inodes, states, cids, dagSizes }: Directory, i: number): string {
  const ctime = ctimes[i] === 2n ? NO_CTIME : ctimes[i];
  const isThere = states[i] !== DROPPED;
  const cid = isThere ? cids?.toString('hex', i * CID_COLUMN_BYTES, (i + 1) * CID_COLUMN_BYTES) : '00'.repeat(CID_COLUMN_BYTES);
  return [names[i], kinds[i], modes[i], sizes[i], mtimes[i], ctime, inodes[i], cid, isThere ? dagSizes?.[i] : 0].join(' ');
}

function readTree(reader: EntriesReader): string[] {
  const read: string[] = [];
  for (let record = reader.next(); record !== undefined; record = reader.next()) {
    const { names, kinds, modes, sizes, mtimes, ctimes, inodes } = record;
    const { cids, dagSizes } = reader.cold(record.ordinal, names.length);
    const entries = names.map((name, i) => {
      const cid = cids.toString('hex', i * CID_COLUMN_BYTES, (i + 1) * CID_COLUMN_BYTES);
      return [name, kinds[i], modes[i], sizes[i], mtimes[i], ctimes[i], inodes[i], cid, dagSizes[i]].join(' ');
    });
    read.push(textOf(record.path, entries));
  }
  return read;
}

test('any tree reads as it was written, and so it does where any of its subtrees were copied from the parent', () => {
  fc.assert(
    fc.property(tree, (it) => {
      const expected = writeTree(it);
      const reader = EntriesReader.open(hot, cold);
      assert.deepEqual(readTree(reader), expected);
      assert.equal(reader.directories, expected.length);
      const other = writeTree(it, reader);
      const copied = EntriesReader.open(join(dir, '2.hot'), join(dir, '2.cold'));
      assert.deepEqual(readTree(copied), other);
      copied.close();
      reader.close();
    }),
    { numRuns: 60 },
  );
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
  const writer = new EntriesWriter({ hot, cold }, HEADER, never);
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
