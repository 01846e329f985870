import assert from 'node:assert/strict';
import {
  closeSync,
  existsSync,
  fstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadLibc } from '../core/libc.ts';
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

test('a file is made only where nothing is, under just the bytes of its name, with system calls of our own and without', async (t) => {
  const top = mkdtempSync(join(tmpdir(), 'shardctl-into-'));
  t.after(() => rmSync(top, { recursive: true }));
  writeFileSync(join(top, 'there'), '');
  symlinkSync('elsewhere', join(top, 'link'));
  for (const libc of [await loadLibc(), undefined]) {
    const dir = libc === undefined ? 'without' : 'with';
    mkdirSync(join(top, dir));
    const into = new RestoredInto();
    into.enter(top);
    const make = (name: string) => into.at(join(top, name), (at) => into.makeFile(at, 0o640, libc));
    const name = `${dir}/gr\xfc\xdfe\n`;
    const fd = make(name);
    assert.equal(fstatSync(fd).mode & 0o777, 0o640 & ~process.umask());
    closeSync(fd);
    assert.deepEqual(readdirSync(join(top, dir), 'latin1'), [name.slice(dir.length + 1)]);
    for (const taken of ['there', 'link', name]) assert.throws(() => make(taken), { code: 'EEXIST' });
    assert.throws(() => make(`${dir}/${'x'.repeat(256)}`), { code: 'ENAMETOOLONG' });
    assert.throws(() => make(`${dir}/cut\0off`));
    assert.ok(!existsSync(join(top, dir, 'cut')));
    assert.ok(!existsSync(join(top, 'elsewhere')));
    into.close();
  }
});
