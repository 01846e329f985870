import assert from 'node:assert/strict';
import fs, { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { renameIfFree } from './vanishing-files.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'shardctl-vanishing-'));
});
afterEach(() => {
  mock.restoreAll();
  syncBuiltinESMExports();
  rmSync(dir, { recursive: true });
});

/** As on FAT, on FUSE file systems without the call, and for a file of somebody else. */
for (const errno of [undefined, 'EPERM', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'] as const) {
  test(`a file is put where nothing is, and never in place of what is there: ${errno ?? 'with hard links'}`, async () => {
    if (errno !== undefined) {
      mock.method(fs.promises, 'link', () => Promise.reject(Object.assign(new Error(errno), { code: errno })));
      syncBuiltinESMExports();
    }
    const [aside, place] = [join(dir, 'aside'), join(dir, 'place')];
    assert.equal(await renameIfFree(aside, place), false);
    writeFileSync(aside, 'aside');
    assert.equal(await renameIfFree(aside, place), true);
    assert.deepEqual([readdirSync(dir), readFileSync(place, 'utf8')], [['place'], 'aside']);
    writeFileSync(aside, 'another');
    assert.equal(await renameIfFree(aside, place), false);
    assert.deepEqual([readFileSync(place, 'utf8'), readFileSync(aside, 'utf8')], ['aside', 'another']);
  });
}

test('a disk that fails is no place that is taken', async () => {
  mock.method(fs.promises, 'link', () => Promise.reject(Object.assign(new Error('EIO'), { code: 'EIO' })));
  syncBuiltinESMExports();
  await assert.rejects(renameIfFree(join(dir, 'aside'), join(dir, 'place')), { code: 'EIO' });
});
