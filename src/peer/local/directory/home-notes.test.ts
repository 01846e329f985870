import assert from 'node:assert/strict';
import fs, { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { TEST_OWNER } from '../../../testing/owner.ts';
import { putStrange, STRANGE } from '../../../testing/strange-files.ts';
import { readHomeNotes, writeHomeNote } from './home-notes.ts';

let path: string;
let owners: string;
beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), 'shardctl-notes-'));
  owners = join(path, 'owners');
  mkdirSync(join(owners, TEST_OWNER.id), { recursive: true });
});
afterEach(() => rmSync(path, { recursive: true, force: true }));

test('the note of a home that has marked shards is read back, and nothing that is no note', async () => {
  await writeHomeNote(path, TEST_OWNER.id, 'where things are');
  mkdirSync(join(owners, 'folder.note'));
  writeFileSync(join(owners, 'long.note'), '');
  truncateSync(join(owners, 'long.note'), 1024 ** 3);
  symlinkSync('nowhere', join(owners, 'gone.note'));
  assert.deepEqual(await readHomeNotes(path), new Map([[TEST_OWNER.id, 'where things are']]));
});

test('what is no note holds up nobody, and keeps no note from being read or written', async () => {
  await writeHomeNote(path, TEST_OWNER.id, 'where things were');
  for (const kind of STRANGE) {
    await putStrange(kind, join(owners, 'strange.note'));
    assert.deepEqual(await readHomeNotes(path), new Map([[TEST_OWNER.id, 'where things were']]), kind);
    if (kind === 'directory') continue;
    await putStrange(kind, join(owners, `${TEST_OWNER.id}.note`));
    await writeHomeNote(path, TEST_OWNER.id, 'where things were');
  }
  // A symlink to what is for this user alone is no note either.
  writeFileSync(join(path, 'secret'), 'secret');
  rmSync(join(owners, 'strange.note'), { recursive: true });
  symlinkSync('../secret', join(owners, 'strange.note'));
  assert.deepEqual(await readHomeNotes(path), new Map([[TEST_OWNER.id, 'where things were']]));
});

test('a symlink that is put in the place of a note while that is being looked at is not followed', async () => {
  const note = join(owners, 'some.note');
  writeFileSync(join(path, 'secret'), 'secret');
  writeFileSync(note, 'where things are');
  const { lstat } = fs.promises;
  mock.method(fs.promises, 'lstat', async (file: string) => {
    const found = await lstat(file);
    rmSync(note);
    symlinkSync('../secret', note);
    return found;
  });
  syncBuiltinESMExports();
  try {
    assert.deepEqual(await readHomeNotes(path), new Map());
  } finally {
    mock.restoreAll();
    syncBuiltinESMExports();
  }
});

test('a note that cannot be read for another reason than that it is not there, or not for us, is a failure and not nothing', async () => {
  writeFileSync(join(owners, 'some.note'), 'where things are');
  const broken = Object.assign(new Error('EIO: i/o error, lstat'), { code: 'EIO' });
  mock.method(fs.promises, 'lstat', () => Promise.reject(broken));
  syncBuiltinESMExports();
  try {
    await assert.rejects(readHomeNotes(path), { code: 'IO', message: /reading the note of a home.*EIO/ });
  } finally {
    mock.restoreAll();
    syncBuiltinESMExports();
  }
});
