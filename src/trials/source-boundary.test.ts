/** What is outside of the source does not get into a snapshot, whatever is done to the source while it is read. */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { profileOf } from '../dag/cid-profile.ts';
import { oneIn } from '../testing/depth.ts';
import { beginEach } from '../testing/each.ts';
import type { TestHome } from '../testing/run.ts';
import { keepSwapping } from '../testing/swapper.ts';
import { writeTree } from '../testing/tree.ts';

const sample = oneIn(6);

let dir: string;
let home: TestHome;
beginEach((its, itsHome) => {
  dir = its;
  home = itsHome;
});

const SECRET = 'TOP SECRET';

/** Whether the words stand in anything that the home or its peers store: names, targets, contents. */
function isStored(words: string): boolean {
  return readdirSync(home.dir, { recursive: true, withFileTypes: true }).some(
    (it) => it.isFile() && readFileSync(join(it.parentPath, it.name)).includes(words),
  );
}

/** A directory of the source, and the same beside it with secrets in the place of everything. */
function writeBoth(): { source: string; elsewhere: string } {
  const source = join(dir, 'source');
  const elsewhere = join(dir, 'elsewhere');
  const below = (text: string) => ({
    file: text,
    large: text.repeat(200_000),
    link: { link: text },
    deeper: { file: text, link: { link: text }, [`named ${text}`]: text },
  });
  // Between a look at `z` and its listing there is this to be listed.
  const many = Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`f${i}`, `${i % 7}`]));
  writeTree(dir, { source: { before: 'b', a: { many, z: below('its own') } }, elsewhere: { ...below(SECRET), z: below(SECRET) } });
  return { source, elsewhere };
}

for (const { how, swapped, options } of [
  { how: 'in chunks of a megabyte', swapped: ['a/z', 'a'], options: {} },
  { how: 'in chunks cut by content', swapped: ['a/z'], options: { profile: profileOf('unixfs-v1-2025', 'rabin-64-128-256') } },
  { how: 'where symlinks are stored as what they lead to', swapped: ['a/z', 'a'], options: { copyLinks: true } },
]) {
  test(`a directory that is exchanged for a symlink over and over gives nothing of what that leads to, ${how}`, {
    skip: sample(),
  }, async () => {
    const { source, elsewhere } = writeBoth();
    writeTree(source, { 'to-z': { link: 'a/z' }, 'to-file': { link: 'to-z/deeper/../file' }, 'to-link': { link: 'a/z/link' } });
    for (const directory of swapped) {
      const stop = await keepSwapping({ directory: join(source, directory), elsewhere });
      try {
        for (let round = 0; round < 6; round++) {
          await home.add(source, options);
          assert.equal(isStored(SECRET), false, `in round ${round}`);
        }
      } finally {
        await stop();
      }
    }
  });
}

test('a directory that is a symlink once it was looked at has vanished, and everything else is committed', { skip: sample() }, async () => {
  const { source, elsewhere } = writeBoth();
  let swapped = false;
  const { summary, events } = await home.add(source, {}, (event) => {
    if (event.type !== 'scan' || swapped) return;
    swapped = true;
    renameSync(join(source, 'a'), join(dir, 'away'));
    symlinkSync(elsewhere, join(source, 'a'));
  });
  assert.equal(swapped, true);
  assert.ok(summary.problems.vanished > 0 && summary.problems.unreadable === 0);
  assert.ok(events.some((event) => event.type === 'entry' && event.problem === 'vanished' && event.path === 'a'));
  assert.equal(summary.files, 1);
  assert.equal(isStored(SECRET), false);
  const { summary: next } = await home.add(source);
  assert.deepEqual([next.symlinks, next.directories, next.problems.vanished], [1, 1, 0]);
});

test('a source that is named by a symlink is the directory that this led to at the beginning', { skip: sample() }, async () => {
  const { source, elsewhere } = writeBoth();
  const named = join(dir, 'named');
  symlinkSync(source, named);
  let turned = false;
  await assert.rejects(
    home.add(named, {}, (event) => {
      if (event.type !== 'scan' || turned) return;
      turned = true;
      rmSync(named);
      symlinkSync(elsewhere, named);
    }),
    { code: 'SOURCE_MISSING' },
  );
  assert.equal(isStored(SECRET), false);
});

test('what is mounted, or nested deeper than files may be open, is part of the source', { skip: sample() }, async () => {
  const path = Array(300).fill('d').join('/');
  mkdirSync(join(dir, path), { recursive: true });
  writeFileSync(join(dir, path, 'file'), 'x');
  const { summary } = await home.add(dir);
  assert.deepEqual([summary.directories, summary.files, summary.problems.unreadable], [301, 1, 0]);
});
