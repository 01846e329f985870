/** `--copy-links` as an operator meets it. */
import assert from 'node:assert/strict';
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, test } from 'node:test';
import { oneIn, onlyInAll } from '../../testing/depth.ts';
import { Program } from '../../testing/program.ts';

const sample = oneIn(2);

let program: Program;
beforeEach(() => {
  program = new Program();
  mkdirSync(program.path('m', 'dists', 'bookworm'), { recursive: true });
  writeFileSync(program.path('m', 'dists', 'bookworm', 'Release'), 'one');
  symlinkSync('bookworm', program.path('m', 'dists', 'stable'));
  symlinkSync('/etc', program.path('m', 'etc'));
});
afterEach(() => program.dispose());

test('a link is read as what it leads to, and the next update goes on so; one that leads out stays a link, and is told of', {
  skip: onlyInAll(),
}, () => {
  const told = /symlinks that stay symlinks: they lead 1 out of the source \(first etc\)/;
  assert.match(program.succeeds('add', 'm', '--copy-links', '-n').stdout, told);
  assert.match(program.succeeds('add', 'm', '--copy-links').stdout, told);
  assert.equal(program.succeeds('cat', 'm/dists/stable/Release').stdout, 'one');
  assert.match(program.succeeds('ls', '-l', 'm').stdout, /etc -> \/etc/);
  writeFileSync(program.path('m', 'dists', 'bookworm', 'Release'), 'other');
  assert.match(program.succeeds('update', 'm', '-i').stdout, /dists\/bookworm\/Release\n.*dists\/stable\/Release/);
  assert.match(program.succeeds('update', 'm').stdout, /nothing has changed/);
  program.succeeds('add', 'm');
  assert.match(program.succeeds('ls', '-l', 'm/dists').stdout, /stable -> bookworm/);
});

test('a home that is lost had noted that links are copied', { skip: sample() }, () => {
  program.succeeds('peers', 'add', 'local', 'disk');
  program.succeeds('add', 'm', '--copy-links');
  rmSync(program.home, { recursive: true });
  assert.match(program.succeeds('recover', 'm', '--from', 'disk').stdout, /shardctl add \S+ --name m --copy-links/);
});
