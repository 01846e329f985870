import assert from 'node:assert/strict';
import { createHook } from 'node:async_hooks';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { filesInEach } from './vanishing-files.ts';

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
    // One asks where the dead symlink leads to.
    assert.equal(await listed(() => 0), 1);
    let time = 0;
    // The first one shows that the disk is slow.
    assert.equal(await listed(() => time++), 1 + 4);
    // What another machine may answer for, is asked for by threads from the first one on.
    assert.equal(
      await listed(
        () => 0,
        (folder) => folder !== folders[0],
      ),
      1 + 1,
    );
    assert.equal(
      await listed(
        () => 0,
        () => false,
      ),
      1 + 5,
    );
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
