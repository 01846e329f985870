import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, openSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { WRITE_MADE } from './destination.ts';

test('a pipe or a symlink in the place of a file that was made is not opened, and holds nobody up', (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'shardctl-destination-'));
  t.after(() => rmSync(dir, { recursive: true }));
  execFileSync('mkfifo', [join(dir, 'pipe')]);
  writeFileSync(join(dir, 'file'), 'x');
  symlinkSync('file', join(dir, 'link'));
  assert.throws(() => openSync(join(dir, 'pipe'), WRITE_MADE), { code: 'ENXIO' });
  assert.throws(() => openSync(join(dir, 'link'), WRITE_MADE), { code: 'ELOOP' });
});
