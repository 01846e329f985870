import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { TEST_OWNER } from '../../../testing/owner.ts';
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

test('a note that cannot be read for another reason than that it is not there, or not for us, is a failure and not nothing', async () => {
  symlinkSync('loop.note', join(owners, 'loop.note'));
  await assert.rejects(readHomeNotes(path), { code: 'IO', message: /reading the note of a home.*ELOOP/ });
});
