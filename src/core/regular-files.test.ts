import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, readSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { putStrange, STRANGE } from '../testing/strange-files.ts';
import { openRegularSync, readRegular, readRegularItself } from './regular-files.ts';

let dir: string;
before(() => {
  dir = mkdtempSync(join(tmpdir(), 'shardctl-regular-'));
  writeFileSync(join(dir, 'file'), 'bytes');
  symlinkSync('file', join(dir, 'link'));
  symlinkSync('nothing', join(dir, 'dangling'));
});
after(() => rmSync(dir, { recursive: true, force: true }));

test('a file is read, and what a symlink to one leads to', async () => {
  for (const name of ['file', 'link']) {
    const path = join(dir, name);
    assert.equal((await readRegular(path, 100)).toString(), 'bytes');
    assert.equal((await readRegular(path, 2)).toString(), 'by', 'of a longer one the first bytes');
    const { fd, size } = openRegularSync(path);
    const bytes = Buffer.alloc(size);
    assert.equal(readSync(fd, bytes, 0, size, 0), 5);
    closeSync(fd);
    assert.equal(bytes.toString(), 'bytes');
  }
});

test('a file itself is read, and not what a symlink to one leads to', async () => {
  assert.equal((await readRegularItself(join(dir, 'file'), 100)).toString(), 'bytes');
  assert.equal((await readRegularItself(join(dir, 'file'), 2)).toString(), 'by');
  await assert.rejects(readRegularItself(join(dir, 'link'), 100), { code: 'ENOENT' });
});

test('what is no file is not there, and holds up nobody', async () => {
  const path = join(dir, 'strange');
  for (const kind of STRANGE) {
    await putStrange(kind, path);
    assert.throws(() => openRegularSync(path), { code: 'ENOENT' }, kind);
    await assert.rejects(readRegular(path, 100), { code: 'ENOENT' }, kind);
    await assert.rejects(readRegularItself(path, 100), { code: 'ENOENT' }, kind);
  }
  for (const name of ['dangling', 'none']) {
    assert.throws(() => openRegularSync(join(dir, name)), { code: 'ENOENT' }, name);
    await assert.rejects(readRegular(join(dir, name), 100), { code: 'ENOENT' }, name);
    await assert.rejects(readRegularItself(join(dir, name), 100), { code: 'ENOENT' }, name);
  }
});
