import assert from 'node:assert/strict';
import { createHook } from 'node:async_hooks';
import fs, { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mock, test } from 'node:test';
import { filesIn, filesInEach } from './vanishing-files.ts';

/** How often `work` has one of Node's threads do something with files. */
async function askedOfThreads(work: () => Promise<void>): Promise<number> {
  let asked = 0;
  const hook = createHook({
    init: (_, type) => {
      if (type === 'FSREQPROMISE') asked++;
    },
  }).enable();
  try {
    await work();
    return asked;
  } finally {
    hook.disable();
  }
}

test('directories that the system has in memory are listed without a thread, those of a slow disk by threads, and both alike', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'shardctl-folders-'));
  try {
    const folders = ['aa', 'bb', 'cc', 'gone', 'file'].map((name) => join(dir, name));
    for (const folder of folders.slice(0, 3)) {
      mkdirSync(join(folder, 'directory'), { recursive: true });
      for (const file of ['z', 'a']) writeFileSync(join(folder, file), '');
    }
    writeFileSync(join(dir, 'file'), '');
    symlinkSync('nowhere', join(dir, 'cc', 'dead'));
    const expected = [...Array.from({ length: 3 }, () => ['a', 'z']), [], []];
    const listed = async (now: () => number, isOwn = (_: string) => true) => {
      const filesIn = filesInEach(isOwn, now);
      const found: string[][] = [];
      const asked = await askedOfThreads(async () => {
        for (const folder of folders) found.push(await filesIn(folder));
      });
      assert.deepEqual(found, expected);
      return asked;
    };
    // One asks where the dead symlink leads to, and two each what the last two are, which are no directories.
    const always = 1 + 2 * 2;
    assert.equal(await listed(() => 0), always);
    let time = 0;
    // The first one shows that the disk is slow.
    assert.equal(await listed(() => time++), always + 2);
    // What another machine may answer for, is asked for by threads from the first one on.
    const isOwn = (folder: string) => folder !== folders[0];
    assert.equal(await listed(() => 0, isOwn), always + 1);
    assert.equal(
      await listed(
        () => 0,
        () => false,
      ),
      always + 3,
    );
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

/** What Node's readdir does with kinds where a directory does not tell them, and a name has vanished by the time that it is looked at. */
function fails(folder: string): Error {
  return Object.assign(new Error(`ENOENT: no such file or directory, lstat '${join(folder, 'vanished')}'`), { code: 'ENOENT' });
}

test('where a directory does not tell what is a file, a name that vanishes takes no other with it', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'shardctl-kinds-'));
  mkdirSync(join(dir, 'directory'));
  for (const file of ['z', 'a']) writeFileSync(join(dir, file), '');
  symlinkSync('z', join(dir, 'link'));
  symlinkSync('circle', join(dir, 'circle'));
  const { readdir } = fs.promises;
  mock.method(fs, 'readdirSync', (folder: string) => {
    throw fails(folder);
  });
  mock.method(fs.promises, 'readdir', async (folder: string, options?: { withFileTypes: boolean }) => {
    if (options?.withFileTypes === true) throw fails(folder);
    return [...(await readdir(folder)), 'vanished'];
  });
  syncBuiltinESMExports();
  try {
    const files = ['a', 'link', 'z'];
    assert.deepEqual(await filesIn(dir), files);
    for (const isOwn of [true, false]) assert.deepEqual(await filesInEach(() => isOwn)(dir), files);
    await assert.rejects(filesIn(join(dir, 'none')), { code: 'ENOENT' });
    assert.deepEqual(await filesInEach(() => true)(join(dir, 'none')), []);
  } finally {
    mock.restoreAll();
    syncBuiltinESMExports();
    rmSync(dir, { recursive: true, force: true });
  }
});
