import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { RestoredInto } from './restored-into.ts';

test('an error has the path that people know, whatever its names are', (t) => {
  const top = mkdtempSync(join(tmpdir(), 'shardctl-into-'));
  t.after(() => rmSync(top, { recursive: true }));
  const into = new RestoredInto();
  into.enter(top);
  for (const name of ['plain', '$&', '$$', '$1']) {
    const path = join(top, name, 'file');
    mkdirSync(join(top, name));
    const message = (at: string) => `ENOENT: no such file or directory, open '${at}'`;
    assert.throws(() => into.at(path, (at) => openSync(at, 'r')), { message: message(path) });
    // The directory itself cannot be opened.
    rmSync(join(top, name), { recursive: true });
    into.close();
    into.enter(top);
    assert.throws(() => into.at(path, () => {}), { message: message(path) });
  }
  into.close();
});
