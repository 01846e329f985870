/** What an update takes over, reads, refuses and tells: rules about whole runs. */
import assert from 'node:assert/strict';
import { chmodSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { profileOf } from '../dag/cid-profile.ts';
import { beginEach, tick } from '../testing/each.ts';
import { type RunOptions, TestHome } from '../testing/run.ts';
import { applyEdit, edit, writeTree } from '../testing/tree.ts';

const MIB = 1024 * 1024;
const TRUST = { ignoreCtime: false, ignoreInode: false, checksum: false };
const IGNORE_CTIME = { trust: { ...TRUST, ignoreCtime: true } };

let dir: string;
let home: TestHome;
beginEach((its, itsHome) => {
  dir = its;
  home = itsHome;
});

/** The root that the tree has in an empty home. */
async function freshRoot(options: RunOptions = {}): Promise<string> {
  const fresh = await TestHome.create();
  try {
    return (await fresh.add(dir, options)).summary.tree;
  } finally {
    fresh.remove();
  }
}

/** Other bytes, same size and mtime: only ctime tells. */
function rewriteUnseen(path: string): void {
  const { atimeNs, mtimeNs, size } = statSync(path, { bigint: true });
  writeFileSync(path, Buffer.alloc(Number(size), '!'));
  // A double holds whole microseconds exactly enough; the files here have whole seconds.
  utimesSync(path, Number(atimeNs / 1_000_000_000n), Number(mtimeNs / 1_000_000_000n));
}

function writeFiles(): string[] {
  writeTree(dir, { empty: '', small: 'small', sub: { large: Buffer.alloc(3 * MIB + 5, 'x') } });
  const files = ['empty', 'small', 'sub/large'].map((name) => join(dir, name));
  for (const file of files) utimesSync(file, 1000, 1000);
  return files;
}

for (const profile of ['unixfs-v1-2025', 'unixfs-v0-2015']) {
  test(`with --ignore-ctime a chmod stores one node an entry, reads nothing and gives the root of a fresh add (${profile})`, async () => {
    const options = { ...IGNORE_CTIME, profile: profileOf(profile) };
    const files = writeFiles();
    await tick();
    await home.add(dir, options);
    const contents = files.map((file) => readFileSync(file));
    for (const file of files) chmodSync(file, 0o600);
    const expected = await freshRoot(options);
    // What is not read cannot be missed.
    for (const file of files) rewriteUnseen(file);
    const { summary } = await home.add(dir, options);
    assert.equal(summary.tree, expected);
    // Three files, sub and the root.
    assert.deepEqual([summary.newBlocks, summary.newFiles, summary.changedEntries], [5, 0, 3]);
    assert.equal((await home.add(dir, options)).summary.unchanged, true);
    assert.notDeepEqual(readFileSync(files[1] as string), contents[1]);
    // A run that does not ignore ctime sees what they did not.
    assert.equal((await home.add(dir, { profile: options.profile })).summary.tree, await freshRoot({ profile: options.profile }));
  });
}

test('a chmod in a tree without metadata is no change', async () => {
  const [, small = ''] = writeFiles();
  await tick();
  await home.add(dir, { ...IGNORE_CTIME, metadata: false });
  chmodSync(small, 0o600);
  const { summary } = await home.add(dir, { ...IGNORE_CTIME, metadata: false });
  assert.deepEqual([summary.unchanged, summary.newBlocks], [true, 0]);
});

test('when the parent’s node cannot be had, the file is read after all', async () => {
  const [, small = ''] = writeFiles();
  await tick();
  await home.add(dir, IGNORE_CTIME);
  chmodSync(small, 0o600);
  const shards = join(home.dir, 'peers', 'local', 'shards');
  for (const name of readdirSync(shards, { recursive: true, encoding: 'utf8' })) if (name.endsWith('.car')) rmSync(join(shards, name));
  const { summary } = await home.add(dir, IGNORE_CTIME);
  assert.equal(summary.tree, await freshRoot());
});

test('a racy entry is looked at again, whatever is ignored', async () => {
  writeTree(dir, { file: 'before' });
  utimesSync(join(dir, 'file'), 1000, 1000);
  // A scan that began before the file was written, however slow the machine.
  const began = Date.now() - 1000;
  await home.add(dir, { ...IGNORE_CTIME, now: () => began });
  rewriteUnseen(join(dir, 'file'));
  assert.equal((await home.add(dir, IGNORE_CTIME)).summary.tree, await freshRoot());
});

test('with --checksum everything is read, and what came out the same is the same', async () => {
  const [, small = ''] = writeFiles();
  await tick();
  await home.add(dir);
  const trust = { ...IGNORE_CTIME.trust, checksum: true };
  assert.equal((await home.add(dir, { trust })).summary.unchanged, true);
  rewriteUnseen(small);
  assert.equal((await home.add(dir, { trust })).summary.tree, await freshRoot());
});

test('a new inode alone is a change, unless inodes are ignored; after any edits the root is that of a fresh add all the same', async () => {
  const edits = fc.array(fc.array(edit, { minLength: 1, maxLength: 6 }), { minLength: 2, maxLength: 3 });
  await fc.assert(
    fc.asyncProperty(edits, async (rounds) => {
      rmSync(dir, { recursive: true });
      writeTree(dir, {});
      const updated = await TestHome.create();
      try {
        for (const round of rounds) {
          for (const it of round) applyEdit(dir, it);
          const { summary } = await updated.add(dir, { trust: { ...TRUST, ignoreInode: true } });
          assert.equal(summary.tree, await freshRoot());
        }
      } finally {
        updated.remove();
      }
    }),
    { numRuns: 5 },
  );
});

const refused = (options: RunOptions, message: RegExp) =>
  assert.rejects(home.add(dir, options), { code: 'MAX_DELETE', exitCode: 25, message });

test('a run that would delete more than is allowed changes nothing', async () => {
  writeTree(dir, { a: 'a', b: 'b', c: { d: 'd', e: { f: 'f' } }, g: 'g', h: 'h', i: 'i' });
  const first = await home.add(dir);
  rmSync(join(dir, 'c'), { recursive: true });
  // Of 9 entries c, c/d, c/e and c/e/f.
  await refused({ maxDelete: { entries: 3 } }, /4 or more of the 9 entries of test@1/);
  await refused({ maxDelete: { percent: 40 } }, /4 or more of the 9 entries/);
  const index = await home.index();
  assert.equal(index.repository('test')?.head, first.summary.number);
  await index.close();
  assert.deepEqual(await home.damage(), []);
  assert.equal((await home.add(dir, { maxDelete: { entries: 4 } })).summary.changedEntries, 4);
});

test('half may go by percentage, what is excluded counts, and what became something else does not', async () => {
  writeTree(dir, { a: 'a', b: 'b', c: 'c', d: 'd' });
  await home.add(dir);
  rmSync(join(dir, 'a'));
  writeTree(dir, { a: {} });
  await refused({ maxDelete: { entries: 1 }, filters: ['- b', '- c'] }, /2 or more of the 4/);
  const { summary } = await home.add(dir, { maxDelete: { percent: 50 }, filters: ['- b', '- c'] });
  assert.deepEqual([summary.files, summary.directories, summary.changedEntries], [1, 2, 3]);
});

test('an empty source is refused whatever number is allowed, also when the parent’s entries are of no use', async () => {
  writeTree(dir, { a: 'a', b: { c: 'c' } });
  await home.add(dir);
  rmSync(dir, { recursive: true });
  writeTree(dir, {});
  await refused({ maxDelete: { entries: 1000 } }, /the source is empty: 3 or more of the 3/);
  await refused({ maxDelete: { percent: 100 } }, /the source is empty/);
  const profile = profileOf('unixfs-v0-2015');
  await refused({ maxDelete: { percent: 50 }, profile }, /the source is empty/);
  writeTree(dir, { a: 'a' });
  await refused({ maxDelete: { percent: 50 }, profile }, /more than --max-delete allows: 2 or more of the 3/);
  rmSync(join(dir, 'a'));
  assert.equal((await home.add(dir)).summary.files, 0);
});

test('settings are remembered although the tree is the same', async () => {
  writeTree(dir, { a: 'a' });
  await home.add(dir);
  const { summary } = await home.add(dir, { filters: ['- *.tmp'] });
  assert.equal(summary.unchanged, true);
  const index = await home.index();
  assert.deepEqual(index.repository('test')?.filters, ['- *.tmp']);
  await index.close();
});
