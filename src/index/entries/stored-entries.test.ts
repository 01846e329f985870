import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { sampled } from '../../testing/depth.ts';
import { contentsOf, type EntriesModel, edited, entriesModels, modelEdits, walkOrder, writeModel } from '../../testing/entries-model.ts';
import { EntriesFiles } from './files.ts';
import type { EntriesRecord } from './hot-file.ts';
import { EntriesReader } from './reader.ts';
import type { StoredEntries } from './stored-entries.ts';
import { EntriesWriter } from './writer.ts';

const dir = mkdtempSync(join(tmpdir(), 'shardctl-stored-'));
after(() => rmSync(dir, { recursive: true }));

const ROOT = { rootMode: 0o755, rootMtime: 7n };
const never = () => false;

/** As one that was written whole reads. */
function wanted(model: EntriesModel): unknown[] {
  const paths = { hot: join(dir, 'wanted.hot'), cold: join(dir, 'wanted.cold') };
  const writer = new EntriesWriter(paths, ROOT, never);
  writeModel(writer, model);
  writer.finish();
  const reader = EntriesReader.open(paths.hot, paths.cold);
  const contents = contentsOf(reader);
  reader.close();
  return contents;
}

/** A home's entries of one repository, and what they must say. */
class Run {
  readonly dir = mkdtempSync(join(dir, 'home-'));
  readonly files = new EntriesFiles(this.dir, false);
  model: EntriesModel;
  number = 1;
  seed = 1;
  patches = 0;
  /** Paths of all directories that any snapshot has had. */
  readonly known = new Set(['a/none']);

  constructor(model: EntriesModel) {
    // So large that most edits are small beside it.
    this.model = new Map([...model, ['large', { files: 8000, seed: 1 }]]);
    for (const path of model.keys()) this.known.add(path);
    this.#write(1, this.model);
  }

  read(readOnly = false): StoredEntries {
    const stored = (readOnly ? new EntriesFiles(this.dir, true) : this.files).read('r', this.number);
    assert.ok(stored, `${readdirSync(join(this.dir, 'r'))}`);
    return stored;
  }

  names(): string[] {
    return readdirSync(join(this.dir, 'r')).sort();
  }

  #write(number: number, model: EntriesModel): void {
    const writer = this.files.write('r', number, ROOT, never);
    writeModel(writer, model);
    writer.finish();
  }

  #patch(number: number, model: EntriesModel, touched: ReadonlySet<string>): void {
    const stored = this.read();
    const lookup = stored.lookup();
    const replaced: EntriesRecord[] = [];
    for (const path of [...this.model.keys()].sort(walkOrder)) {
      const found = lookup.find(path);
      assert.equal(found?.path, path);
      assert.equal(lookup.cold(found.ordinal, found.names.length).cids.length, 33 * found.names.length);
      const below = [...this.model.keys()].filter((other) => `${other}/`.startsWith(path === '' ? '' : `${path}/`)).sort(walkOrder);
      assert.deepEqual(
        [...lookup.subtree(path)].map((record) => record.path),
        below,
      );
      if (touched.has(path) || !model.has(path)) replaced.push(found);
    }
    for (const gone of this.known) if (!this.model.has(gone)) assert.equal(lookup.find(gone), undefined, gone);
    const writer = this.files.patch('r', number, stored, replaced, ROOT, never);
    writeModel(writer, model, (path) => touched.has(path));
    writer.finish();
    stored.close();
  }

  /** A run that changes some directories. @param end what becomes of what it has written */
  change(edits: Parameters<typeof edited>[1], isTold: boolean, end: 'commit' | 'move' | 'dies'): void {
    const { model, touched } = edited(this.model, edits, ++this.seed);
    for (const path of model.keys()) this.known.add(path);
    const next = this.number + 1;
    if (isTold) this.#patch(next, model, touched);
    else this.#write(next, model);
    if (existsSync(join(this.dir, 'r', `${next}.patch`))) this.patches++;
    if (end === 'dies') return;
    this.model = model;
    if (end === 'move') {
      this.files.move('r', next, this.number);
      return;
    }
    this.files.sync('r');
    this.files.keepOnly('r', next);
    this.number = next;
  }
}

const change = fc.record({
  edits: modelEdits.map((edits) => edits.slice(0, 2)),
  isTold: fc.boolean(),
  end: fc.constantFrom('commit' as const, 'commit' as const, 'move' as const, 'dies' as const),
  isReadWhole: fc.constantFrom(false, false, true),
});

test('entries read as the last run left them that came to its end, whichever runs were told, died, or changed stat data alone', () => {
  let patches = 0;
  const law = fc.property(entriesModels, fc.array(change, { minLength: 1, maxLength: 7 }), (model, changes) => {
    const run = new Run(model);
    for (const { edits, isTold, end, isReadWhole } of changes) {
      run.change(edits, isTold, end);
      const before = run.names();
      const reading = run.read(true);
      assert.deepEqual(contentsOf(reading.whole()), wanted(run.model));
      reading.close();
      assert.deepEqual(run.names(), before, 'whoever only reads writes nothing');
      if (!isReadWhole) continue;
      const stored = run.read();
      assert.deepEqual(contentsOf(stored.whole()), wanted(run.model));
      stored.close();
      assert.ok(!existsSync(join(run.dir, 'r', `${run.number}.patch`)));
    }
    patches += run.patches;
    rmSync(run.dir, { recursive: true });
  });
  // Few cases may have few patches by chance: a sample has the same ones each time.
  fc.assert(law, sampled({ numRuns: 8, seed: 1 }, { numRuns: 50 }));
  assert.ok(patches > sampled(0, 5), `${patches} patches`);
});

const SMALL: EntriesModel = new Map([
  ['', { files: 1, seed: 1 }],
  ['a', { files: 3, seed: 1 }],
]);
const edit = (files: number) => [{ path: 'a', files }];

test('many told runs leave one patch and one base, and a patch that has grown makes way for whole entries', () => {
  const run = new Run(SMALL);
  let most = 0;
  for (let n = 0; n < 12; n++) {
    run.change([{ path: `a/${n}`, files: 200 }], true, 'commit');
    most = Math.max(most, run.names().length);
    assert.ok(run.names().length <= 7, `${run.names()}`);
  }
  assert.equal(most, 7);
  assert.ok(run.patches < 12 && run.patches > 3, `${run.patches}`);
  const stored = run.read();
  assert.deepEqual(contentsOf(stored.whole()), wanted(run.model));
  stored.close();
});

test('a patch with a flipped bit or a lost tail, or without its base, counts as no entries', () => {
  for (const name of ['2.patch', '2.patch-hot', '2.patch-cold', '1.hot', '1.cold']) {
    const run = new Run(SMALL);
    run.change(edit(5), true, 'commit');
    const path = join(run.dir, 'r', name);
    const good = readFileSync(path);
    const outcome = () => {
      const stored = run.files.read('r', 2);
      try {
        return stored === undefined ? undefined : contentsOf(stored.whole());
      } catch (error) {
        return error;
      } finally {
        stored?.close();
      }
    };
    for (const at of [0, 20, 40, good.length >> 1, good.length - 1]) {
      const flipped = Buffer.from(good);
      flipped[at] = flipped.readUInt8(at) ^ 4;
      writeFileSync(path, flipped);
      const found = new EntriesFiles(run.dir, true).read('r', 2);
      try {
        if (found !== undefined) assert.deepEqual(contentsOf(found.whole()), wanted(run.model), `${name} byte ${at}`);
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'DAMAGE', `${name} byte ${at}: ${error}`);
      } finally {
        found?.close();
      }
    }
    writeFileSync(path, good);
    truncateSync(path, good.length - 3);
    const found = outcome();
    assert.ok(found === undefined || (found as { code?: string }).code === 'DAMAGE', name);
    rmSync(path);
    assert.equal(run.files.read('r', 2), undefined, name);
  }
});

test('a patch does not count with another base than its own, nor a note with another patch', () => {
  for (const stale of [['2.patch'], ['2.patch', '2.patch-hot', '2.patch-cold', '2.patch-blocks']]) {
    const run = new Run(SMALL);
    run.change(edit(5), true, 'commit');
    run.read().whole();
    const base = run.model;
    run.change([{ path: 'a/new', files: 2 }], true, 'move');
    const left = stale.map((name): [string, Buffer] => [join(run.dir, 'r', name), readFileSync(join(run.dir, 'r', name))]);
    // One run has died when it had made them whole, the other between two files of the next patch.
    if (stale.length > 1) run.read().whole();
    else run.change([{ path: 'a', files: undefined }], true, 'move');
    for (const [path, bytes] of left) writeFileSync(path, bytes);
    const stored = run.read();
    // Without a patch that counts the base is left: the same tree, with older stat data.
    assert.deepEqual(contentsOf(stored.whole()), wanted(stale.length > 1 ? run.model : base));
    stored.close();
  }
});

test('a directory that is gone is not found, though the base has it', () => {
  const run = new Run(SMALL);
  run.change([{ path: 'a', files: undefined }], true, 'commit');
  const stored = run.read();
  assert.equal(stored.baseNumber, 1);
  assert.equal(stored.lookup().find('a'), undefined);
  assert.deepEqual([...stored.lookup().subtree('a')], []);
  stored.close();
});
