import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { keepSwapping } from '../testing/swapper.ts';
import { removeFile, removeFileSync } from './remove-file.ts';

/** Node's `rmSync` removed the content within 0.1 to 1.5 s here, on two cores. */
const LONG_MS = 2_000;

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'shardctl-remove-file-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

for (const [name, remove] of Object.entries({ removeFile, removeFileSync: async (path: string) => removeFileSync(path) })) {
  test(`${name} removes a file or a symlink if it is there, and no directory`, async () => {
    const [file, link, directory] = [join(dir, 'file'), join(dir, 'link'), join(dir, 'directory')];
    writeFileSync(file, '');
    mkdirSync(join(directory, 'below'), { recursive: true });
    symlinkSync(directory, link);
    await remove(link);
    await remove(file);
    await remove(file);
    await assert.rejects(remove(directory), { code: /^(EISDIR|EPERM)$/ });
    assert.deepEqual(readdirSync(dir, { recursive: true }).sort(), ['directory', 'directory/below']);
  });

  test(`while the path is a symlink now and a directory then, ${name} removes nothing that is in either`, async () => {
    const [place, elsewhere] = [join(dir, 'place'), join(dir, 'elsewhere')];
    for (const directory of [place, elsewhere]) {
      mkdirSync(directory);
      writeFileSync(join(directory, 'kept'), '');
    }
    const stop = await keepSwapping({ directory: place, elsewhere, mostMs: 0 });
    for (const end = Date.now() + LONG_MS; Date.now() < end; await sleep(0))
      for (let time = 0; time < 200; time++) await remove(place).catch(() => {});
    await stop();
    assert.ok(existsSync(join(place, 'kept')));
    assert.ok(existsSync(join(elsewhere, 'kept')));
  });
}
