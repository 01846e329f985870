import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import type { ByteString } from '../../core/model.ts';
import { keyOf } from '../../core/path-bytes.ts';
import { sampled } from '../../testing/depth.ts';
import { contentsOf, type EntriesModel, edited, entriesModels, modelEdits, walkOrder, writeModel } from '../../testing/entries-model.ts';
import { Directory } from '../../walk/directory.ts';
import { blocksOf } from './block-list.ts';
import type { EntriesRecord } from './hot-file.ts';
import { LayerLookup } from './layer-lookup.ts';
import { patchEntries } from './patch.ts';
import { EntriesReader } from './reader.ts';
import { EntriesWriter } from './writer.ts';

const dir = mkdtempSync(join(tmpdir(), 'shardctl-patch-'));
after(() => rmSync(dir, { recursive: true }));

const pathsOf = (name: string) => ({ hot: join(dir, `${name}.hot`), cold: join(dir, `${name}.cold`), blocks: join(dir, `${name}.blocks`) });

function write(name: string, model: EntriesModel, isWanted?: (path: ByteString) => boolean): EntriesReader {
  const paths = pathsOf(name);
  const writer = new EntriesWriter(paths, { rootMode: 0o755, rootMtime: 7n }, () => false);
  writeModel(writer, model, isWanted);
  writer.finish();
  return EntriesReader.open(paths.hot, paths.cold);
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

test('a patched snapshot reads as one that was written whole, its directories are found by path, and its subtrees can be copied', () => {
  const law = fc.property(entriesModels, modelEdits, fc.boolean(), (old, changes, hasList) => {
    const { model, touched } = edited(old, changes, 2);
    const base = write('base', old);
    const wanted = write('wanted', model);
    const patch = write('patch', model, (at) => touched.has(at));
    const lists = pathsOf('base').blocks;
    if (!hasList) writeFileSync(lists, 'torn');
    const lookup = new LayerLookup(base, lists);
    const replaced: EntriesRecord[] = [];
    for (const at of [...old.keys()].sort(walkOrder)) {
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
    assert.deepEqual(contentsOf(patched), contentsOf(wanted));
    assert.deepEqual(contentsOf(copiedBySubtrees(patched, 'copied')), contentsOf(wanted));
    // The list that was written is the one that a scan would make.
    const list = blocksOf(out.blocks, patched.hot);
    writeFileSync(out.blocks, '');
    assert.deepEqual(list, blocksOf(out.blocks, patched.hot));
    for (const reader of [base, wanted, patch, patched]) reader.close();
  });
  fc.assert(law, { numRuns: sampled(40, 400) });
});
