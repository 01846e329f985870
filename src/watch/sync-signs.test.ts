import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { SyncSigns } from './sync-signs.ts';

const source = mkdtempSync(join(tmpdir(), 'shardctl-signs-'));
after(() => rmSync(source, { recursive: true }));

test('a sync is under way while a lock file, the sign of a Debian mirror or what rsync writes is there', () => {
  const lock = join(source, '..', `${source.split('/').at(-1)}.lock`);
  const signs = new SyncSigns([lock]);
  const during = (path: string) => {
    writeFileSync(path, '');
    const are = signs.areThere(source);
    rmSync(path);
    return [are, signs.areThere(source)];
  };
  assert.equal(signs.areThere(source), false);
  assert.deepEqual(during(lock), [true, false]);
  assert.deepEqual(during(join(source, 'Archive-Update-in-Progress-mirror.example')), [true, false]);
  mkdirSync(join(source, 'pool'));
  for (const name of ['.bash_5.2_amd64.deb.Xy12Zz', '.~tmp~', '.caf\xe9.abcdef']) {
    const path = Buffer.from(`${source}/pool/${name}`, 'latin1');
    writeFileSync(path, '');
    signs.came('pool', name);
    assert.equal(signs.areThere(source), true, name);
    renameSync(path, join(source, 'pool/done'));
    assert.equal(signs.areThere(source), false, name);
  }
  for (const name of ['.htaccess', 'x.abcdef', '.x.abcdefg']) {
    writeFileSync(join(source, 'pool', name), '');
    signs.came('pool', name);
    assert.equal(signs.areThere(source), false, name);
  }
});

test('what an rsync that died has left counts once', () => {
  const signs = new SyncSigns([]);
  writeFileSync(join(source, '.left.abcdef'), '');
  signs.came('', '.left.abcdef');
  assert.equal(signs.areThere(source), true);
  signs.forget();
  assert.equal(signs.areThere(source), false);
  assert.equal(signs.areThere(undefined), false);
});
