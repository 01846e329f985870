/** Models of entries: directories with files, written as a walk meets them, for laws about what is read of them. */
import fc from 'fast-check';
import { type ByteString, DAG_PB, DIRECTORY, FILE } from '../core/model.ts';
import { joinBytes, keyOf, partsOf } from '../core/path-bytes.ts';
import type { EntriesReader } from '../index/entries/reader.ts';
import type { EntriesWriter } from '../index/entries/writer.ts';
import { Directory } from '../walk/directory.ts';
import { digestOf } from './model-tree.ts';

/** By path of a directory: how many files it has, and what tells two versions of them apart. */
export type EntriesModel = ReadonlyMap<ByteString, { readonly files: number; readonly seed: number }>;

/** By bytes of paths with a slash at their end: as a walk goes. */
export const walkOrder = (a: ByteString, b: ByteString) => (keyOf(a) < keyOf(b) ? -1 : 1);

/** Writes the directories of a model that `isWanted`, and the way to them, as a walk meets them. The writer is not finished. */
export function writeModel(
  writer: Pick<EntriesWriter, 'enter' | 'leave'>,
  model: EntriesModel,
  isWanted: (path: ByteString) => boolean = () => true,
): void {
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
    for (const entry of below.sort(walkOrder)) {
      if (isWanted(joinBytes(path, entry))) visit(joinBytes(path, entry), directory, names.indexOf(entry));
    }
    for (const [i, entry] of names.entries()) directory.setRoot(i, DAG_PB, digestOf(`${path}/${entry} ${seed}`), 0, seed + i);
    writer.leave(directory);
  };
  visit('', undefined, -1);
}

/** All that entries say, for comparison. */
export function contentsOf(entries: EntriesReader): unknown[] {
  const all: unknown[] = [];
  const reader = entries.another();
  for (let record = reader.next(); record !== undefined; record = reader.next()) {
    const { cids, dagSizes } = reader.cold(record.ordinal, record.names.length);
    all.push([record.path, record.names, [...record.kinds], [...record.sizes], [...record.mtimes], cids.toString('hex'), [...dagSizes]]);
  }
  return all;
}

// Names that begin alike, so that walk order ("a-b" before "a/") differs from the order of names, and files enough for several blocks.
const path = fc.array(fc.constantFrom('a', 'a-b', 'b', 'c'), { maxLength: 3 }).map((names) => names.join('/'));
const directoryFiles = fc.constantFrom(0, 1, 3, 700, 2500);
const directories = fc.array(fc.record({ path, files: directoryFiles }), { minLength: 1, maxLength: 12 });

/** A tree, closed upwards. */
export const entriesModels: fc.Arbitrary<EntriesModel> = directories.map((list) => {
  const model = new Map([['', { files: 1, seed: 1 }]]);
  for (const { path: of, files } of list) {
    for (let above = of; above !== ''; above = partsOf(above).above) if (!model.has(above)) model.set(above, { files: 0, seed: 1 });
    model.set(of, { files, seed: 1 });
  }
  return model;
});

/** Directories that are changed, made, or, without files, removed with all below them. */
export type ModelEdits = readonly { readonly path: ByteString; readonly files: number | undefined }[];
export const modelEdits: fc.Arbitrary<ModelEdits> = fc.array(fc.record({ path, files: fc.option(directoryFiles, { nil: undefined }) }), {
  maxLength: 5,
});

/** @param seed that no version has had @returns the model after the edits, and which of its directories a told run enters */
export function edited(before: EntriesModel, edits: ModelEdits, seed: number): { model: EntriesModel; touched: ReadonlySet<ByteString> } {
  const model = new Map(before);
  const touched = new Set<ByteString>(['']);
  for (const { path: of, files } of edits) {
    for (let at = of; at !== ''; at = partsOf(at).above) touched.add(at);
    if (of !== '' && files === undefined) for (const other of [...model.keys()]) if (`${other}/`.startsWith(`${of}/`)) model.delete(other);
    if (files === undefined) continue;
    for (let at = partsOf(of).above; at !== ''; at = partsOf(at).above) if (!model.has(at)) model.set(at, { files: 0, seed });
    model.set(of, { files, seed });
  }
  for (const at of touched) {
    const its = model.get(at);
    if (its !== undefined) model.set(at, { ...its, seed });
  }
  // What is not in the parent is new with all that is below it.
  for (const at of model.keys()) if (!before.has(at)) touched.add(at);
  return { model, touched };
}
