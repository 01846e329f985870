import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import fs, { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { sweepTemporary } from './temporary-files.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'shardctl-sweep-'));
});
afterEach(() => {
  mock.restoreAll();
  syncBuiltinESMExports();
  rmSync(dir, { recursive: true, force: true });
});

/** A file that a run has left long ago. */
function leave(): string {
  const name = `${randomUUID()}.car`;
  writeFileSync(join(dir, name), '');
  utimesSync(join(dir, name), 1, 1);
  return name;
}

/** Removing this file fails. */
function refuse(refused: string, code: string): void {
  const { unlink } = fs.promises;
  mock.method(fs.promises, 'unlink', async (path: string) => {
    if (path === join(dir, refused)) throw Object.assign(new Error(`${code}: unlink '${path}'`), { code });
    await unlink(path);
  });
  syncBuiltinESMExports();
}

test('what this user may not remove stays, and everything else that dead runs have left goes', async () => {
  for (const code of ['EPERM', 'EACCES', 'EISDIR']) {
    const names = [leave(), leave(), leave()].sort();
    const [first = ''] = names;
    refuse(first, code);
    await sweepTemporary(dir, async () => false);
    assert.deepEqual(readdirSync(dir), [first], code);
    mock.restoreAll();
    rmSync(join(dir, first));
  }
});

test('a disk that fails is a failure', async () => {
  refuse(leave(), 'EIO');
  await assert.rejects(
    sweepTemporary(dir, async () => false),
    { code: 'EIO' },
  );
});
