import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { type ByteString, DAG_PB, DIRECTORY, FILE } from '../../core/model.ts';
import { joinBytes, keyOf, partsOf } from '../../core/path-bytes.ts';
import { sampled } from '../../testing/depth.ts';
import { digestOf } from '../../testing/model-tree.ts';
import { Directory } from '../../walk/directory.ts';
import { blocksOf } from './block-list.ts';
import type { EntriesRecord } from './hot-file.ts';
import { patchEntries } from './patch.ts';
import { EntriesReader } from './reader.ts';
import { EntriesLookup } from './some-entries.ts';
import { EntriesWriter } from './writer.ts';

const dir = mkdtempSync(join(tmpdir(), 'shardctl-patch-'));
after(() => rmSync(dir, { recursive: true }));

/** By path of a directory: how many files it has, and what tells two versions of them apart. */
type Model = ReadonlyMap<ByteString, { readonly files: number; readonly seed: number }>;

const pathsOf = (name: string) => ({ hot: join(dir, `${name}.hot`), cold: join(dir, `${name}.cold`), blocks: join(dir, `${name}.blocks`) });

/** The directories of a model that `isWanted`, and the way to them, as a walk meets them. */
function write(name: string, model: Model, isWanted: (path: ByteString) => boolean = () => true): EntriesReader {
  const paths = pathsOf(name);
  const writer = new EntriesWriter(paths, { rootMode: 0o755, rootMtime: 7n }, () => false);
  const all = [...model.keys()];
  const visit = (path: ByteString, parent: Directory | undefined, index: number) => {
    const { files, seed } = model.get(path) as { files: number; seed: number };
    const below = all.filter((other) => other !== '' && partsOf(other).above === path).map((other) => partsOf(other).name);
    const names = [...below, ...Array.from({ length: files }, (_, i) => `file-${i}`)].sort();
    const directory = new Directory(path, parent, index, names);
    for (const [i, entry] of names.entries()) {
      const stat = { mode: 0o644, size: seed * 1000 + i, mtimeNs: BigInt(seed), ctimeNs: BigInt(i), inode: 5n };
      directory.setStat(i, below.includes(entry) ? DIRECTORY : FILE, stat);
    }
    writer.enter(directory);
    for (const entry of below.sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))) {
      if (isWanted(joinBytes(path, entry))) visit(joinBytes(path, entry), directory, names.indexOf(entry));
    }
    for (const [i, entry] of names.entries()) directory.setRoot(i, DAG_PB, digestOf(`${path}/${entry} ${seed}`), 0, seed + i);
    writer.leave(directory);
  };
  visit('', undefined, -1);
  writer.finish();
  return EntriesReader.open(paths.hot, paths.cold);
}

function told(entries: EntriesReader): unknown[] {
  const all: unknown[] = [];
  const reader = entries.another();
  for (let record = reader.next(); record !== undefined; record = reader.next()) {
    const { cids, dagSizes } = reader.cold(record.ordinal, record.names.length);
    all.push([record.path, record.names, [...record.kinds], [...record.sizes], [...record.mtimes], cids.toString('hex'), [...dagSizes]]);
  }
  return all;
}

/** Each top-level directory is copied as one subtree, as an update copies what has not changed. */
function copiedBySubtrees(entries: EntriesReader, name: string): EntriesReader {
  const reader = entries.another();
  const paths = pathsOf(name);
  const writer = new EntriesWriter(paths, entries.header, () => false);
  const top = reader.next() as EntriesRecord;
  const root = Directory.asInParent(top, undefined, -1);
  writer.enter(root);
  const cursor = entries.another();
  for (let next = reader.next(); next !== undefined; ) {
    const first: EntriesRecord = next;
    let length = 0;
    for (; next?.path.startsWith(keyOf(first.path)) || next === first; next = reader.next()) length++;
    writer.copy(cursor, first.ordinal, length);
  }
  const { cids, dagSizes } = entries.cold(0, top.names.length);
  root.takeRoots(cids, dagSizes);
  writer.leave(root);
  writer.finish();
  return EntriesReader.open(paths.hot, paths.cold);
}

// Names that begin alike, so that walk order ("a-b" before "a/") differs from the order of names, and files enough for several blocks.
const name = fc.constantFrom('a', 'a-b', 'b', 'c');
const path = fc.array(name, { maxLength: 3 }).map((names) => names.join('/'));
const directoryFiles = fc.constantFrom(0, 1, 3, 700, 2500);
const directories = fc.array(fc.record({ path, files: directoryFiles }), { minLength: 1, maxLength: 12 });
const edits = fc.array(fc.record({ path, files: fc.option(directoryFiles, { nil: undefined }) }), { maxLength: 5 });

function closed(list: readonly { readonly path: string; readonly files: number }[]): Map<ByteString, { files: number; seed: number }> {
  const model = new Map([['', { files: 1, seed: 1 }]]);
  for (const { path: of, files } of list) {
    for (let above = of; above !== ''; above = partsOf(above).above) if (!model.has(above)) model.set(above, { files: 0, seed: 1 });
    model.set(of, { files, seed: 1 });
  }
  return model;
}

test('a patched snapshot reads as one that was written whole, its directories are found by path, and its subtrees can be copied', () => {
  const law = fc.property(directories, edits, fc.boolean(), (before, changes, hasList) => {
    const old = closed(before);
    const model = new Map(old);
    const touched = new Set<ByteString>(['']);
    for (const { path: of, files } of changes) {
      for (let at = of; at !== ''; at = partsOf(at).above) touched.add(at);
      if (of !== '' && files === undefined)
        for (const other of [...model.keys()]) if (`${other}/`.startsWith(`${of}/`)) model.delete(other);
      if (files === undefined) continue;
      for (let at = partsOf(of).above; at !== ''; at = partsOf(at).above) if (!model.has(at)) model.set(at, { files: 0, seed: 2 });
      model.set(of, { files, seed: 2 });
    }
    for (const at of touched) {
      const its = model.get(at);
      if (its !== undefined) model.set(at, { ...its, seed: 2 });
    }
    const base = write('base', old);
    const wanted = write('wanted', model);
    // What is not in the parent is new with all that is below it.
    const isTouched = (at: ByteString) => touched.has(at) || !old.has(at);
    const patch = write('patch', model, isTouched);
    const lists = pathsOf('base').blocks;
    if (!hasList) writeFileSync(lists, 'torn');
    const lookup = new EntriesLookup(base, lists);
    const replaced: EntriesRecord[] = [];
    for (const at of [...old.keys()].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))) {
      const found = lookup.find(at) as EntriesRecord;
      assert.equal(found.path, at);
      if (touched.has(at) || !model.has(at)) replaced.push(found);
    }
    assert.equal(lookup.find('a/none'), undefined);
    for (const at of old.keys()) {
      const below = [...old.keys()].filter((other) => keyOf(other).startsWith(keyOf(at))).length;
      assert.equal([...lookup.subtree(at)].length, below);
    }
    const out = pathsOf('out');
    patchEntries({ base, blocks: lookup.blocks, replaced, patch: patch.another() }, out);
    const patched = EntriesReader.open(out.hot, out.cold);
    assert.deepEqual(told(patched), told(wanted));
    assert.deepEqual(told(copiedBySubtrees(patched, 'copied')), told(wanted));
    // The list that was written is the one that a scan would make.
    const list = blocksOf(out.blocks, patched.hot);
    writeFileSync(out.blocks, '');
    assert.deepEqual(list, blocksOf(out.blocks, patched.hot));
    for (const reader of [base, wanted, patch, patched]) reader.close();
  });
  fc.assert(law, { numRuns: sampled(40, 400) });
});
