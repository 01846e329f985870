import assert from 'node:assert/strict';
import { lstatSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { putStrange } from '../testing/strange-files.ts';
import { takeBallast } from './ballast.ts';

test('ballast is made in place of what somebody has put there, and written to nothing that it leads to', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'shardctl-ballast-'));
  try {
    const ballast = join(dir, 'ballast');
    writeFileSync(join(dir, 'victim'), 'precious');
    symlinkSync('victim', ballast);
    takeBallast([{ dir }], true);
    assert.ok(lstatSync(ballast).isFile());
    assert.equal(readFileSync(join(dir, 'victim'), 'utf8'), 'precious');
    await putStrange('FIFO', ballast);
    takeBallast([{ dir }], true);
    assert.ok(lstatSync(ballast).isFile());
  } finally {
    rmSync(dir, { recursive: true });
  }
});
