/** Who else may read what shardctl makes: nobody, unless somebody says so. */
import assert from 'node:assert/strict';
import { chmodSync, cpSync, lstatSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { oneIn } from '../testing/depth.ts';
import { HOME_FORMAT_1, Program } from '../testing/program.ts';

const sample = oneIn(10);

const TOLD = /other users of this machine can read/;

let program: Program;
let umask: number;
beforeEach(() => {
  program = new Program();
  chmodSync(program.dir, 0o755);
  mkdirSync(program.path('m'));
  writeFileSync(program.path('m', 'a'), 'a');
  umask = process.umask(0);
});
afterEach(() => {
  process.umask(umask);
  program.dispose();
});

/** All that is there and has one of these bits, the place itself among it. */
function having(bits: number, path: string): string[] {
  const stat = lstatSync(path);
  const below = stat.isDirectory() ? readdirSync(path).flatMap((name) => having(bits, join(path, name))) : [];
  return (stat.mode & bits) === 0 || stat.isSymbolicLink() ? below : [path, ...below];
}

function modeOf(...parts: string[]): number {
  return statSync(program.path(...parts)).mode & 0o777;
}

function repack(): void {
  writeFileSync(program.path('m', 'a'), String(Math.random()));
  program.succeeds('update');
}

for (const layout of ['car', 'blockstore']) {
  test(`home and peers are for their owner alone, whatever the umask (${layout})`, { skip: sample() }, () => {
    mkdirSync(program.home);
    mkdirSync(program.path('p2'));
    program.succeeds('peers', 'add', 'local', 'p2', '--layout', layout);
    program.succeeds('peers', 'add', 'local', 'p3', '--layout', layout);
    program.succeeds('config', 'replication', '2');
    program.succeeds('add', 'm');
    repack();
    program.succeeds('verify', '--read-data');
    program.succeeds('forget', 'm', '1');
    program.succeeds('prune', '--max-unused', '0');
    for (const place of ['home', 'p2', 'p3']) assert.deepEqual(having(0o077, program.path(place)), []);
    assert.doesNotMatch(program.succeeds('status').stderr, TOLD);
  });
}

test('what is made elsewhere goes by the umask: restored files, CARs, metrics', { skip: sample() }, () => {
  process.umask(0o022);
  program.succeeds('add', 'm', '--no-metadata', '--metrics-file', 'm.prom');
  program.succeeds('get', 'm', '-o', 'new/out');
  program.succeeds('export', 'm', '--car', 'm.car');
  for (const file of ['m.prom', 'm.car', 'new/out/a']) assert.equal(modeOf(file), 0o644, file);
  for (const directory of ['new', 'new/out']) assert.equal(modeOf(directory), 0o755, directory);
});

test('a home that is shared is as open as the umask says, when it is made and later', { skip: sample() }, () => {
  process.umask(0o027);
  program.succeeds('add', 'm', '--shared');
  process.umask(0o022);
  repack();
  assert.equal(modeOf('home'), 0o750);
  assert.equal(modeOf('home', 'index'), 0o750);
  const shards = join(program.home, 'peers', 'local', 'shards');
  assert.deepEqual(new Set(readdirSync(shards).map((name) => statSync(join(shards, name)).mode & 0o050)), new Set([0o050]));
  assert.doesNotMatch(program.succeeds('status').stderr, TOLD);
});

test('a home that is there is opened and shut with its settings, and not by `add`', { skip: sample() }, () => {
  process.umask(0o022);
  program.succeeds('add', 'm');
  program.fails(2, /not meant to be read by others; `shardctl config shared yes`/, 'add', 'm', '--shared');
  program.succeeds('config', 'shared', 'yes');
  assert.deepEqual(
    having(0o777, program.home).filter((path) => (statSync(path).mode & 0o044) === 0 && !path.endsWith('.note')),
    [],
  );
  program.succeeds('add', 'm', '--shared');
  program.succeeds('config', 'shared', 'no');
  assert.equal(modeOf('home'), 0o700);
  repack();
  assert.equal(modeOf('home', 'index'), 0o700);
});

test('a peer that is shared is open, and the home that uses it is not', { skip: sample() }, () => {
  process.umask(0o022);
  for (const [name, layout] of [
    ['c', 'car'],
    ['b', 'blockstore'],
  ] as const)
    program.succeeds('peers', 'add', 'local', name, '--shared', '--layout', layout);
  program.succeeds('peers', 'add', 'local', 'own');
  program.succeeds('config', 'replication', '3');
  program.succeeds('add', 'm');
  repack();
  for (const place of ['b', 'c']) {
    const shut = having(0o777, program.path(place)).filter((path) => (statSync(path).mode & 0o044) !== 0o044 && !path.endsWith('.note'));
    assert.deepEqual(shut, []);
  }
  assert.equal(modeOf('home'), 0o700);
  assert.equal(modeOf('own'), 0o700);
  assert.doesNotMatch(program.succeeds('status').stderr, TOLD);
  program.succeeds('peers', 'set', 'c', '--no-shared');
  assert.equal(modeOf('c'), 0o700);
  assert.equal(modeOf('c', 'shards'), 0o700);
});

test('another home that may write to a peer shares it', { skip: sample() }, () => {
  process.umask(0o002);
  program.succeeds('peers', 'add', 'local', 'p', '--shared');
  program.succeeds('add', 'm');
  program.succeeds('--home', 'home2', 'peers', 'add', 'local', 'p');
  program.succeeds('--home', 'home2', 'add', 'm');
  const owners = readdirSync(program.path('p', 'owners')).filter((name) => !name.includes('.'));
  assert.equal(owners.length, 2);
  for (const owner of owners) assert.equal(modeOf('p', 'owners', owner), 0o775);
});

test('a home from before, and its peer, are told of once, and by `status` until somebody says what is meant', { skip: sample() }, () => {
  process.umask(0o022);
  cpSync(HOME_FORMAT_1, program.home, { recursive: true });
  for (const path of having(0o777, program.home)) chmodSync(path, statSync(path).isDirectory() ? 0o755 : 0o644);
  rmSync(join(program.home, 'config.checked.json'), { force: true });
  const first = program.run('snapshots', '-q');
  assert.equal(first.stderr.match(new RegExp(TOLD, 'g'))?.length, 1, first.stderr);
  assert.doesNotMatch(program.run('snapshots', '-q').stderr, TOLD);
  program.succeeds('add', 'm', '-q');
  assert.doesNotMatch(program.run('update', 'm', '-q').stderr, TOLD);
  const [, ends, means] = /`(shardctl config shared no)`.*`(shardctl config shared yes)`/.exec(program.succeeds('status').stderr) ?? [];
  assert.ok(ends !== undefined && means !== undefined);
  program.succeeds(...means.split(' ').slice(1));
  assert.doesNotMatch(program.succeeds('status').stderr, TOLD);
  program.succeeds(...ends.split(' ').slice(1));
  assert.doesNotMatch(program.succeeds('status').stderr, TOLD);
  assert.equal(modeOf('home'), 0o700);
});

test('what nobody gets at is not told of, and nor is what `chmod` has shut', { skip: sample() }, () => {
  process.umask(0o022);
  program.succeeds('add', 'm', '--shared');
  writeFileSync(join(program.home, 'config.json'), '{"format":1,"peers":[{"kind":"local","name":"local","path":"peers/local"}]}');
  assert.match(program.succeeds('status').stderr, TOLD);
  chmodSync(program.dir, 0o700);
  assert.doesNotMatch(program.succeeds('status').stderr, TOLD);
  chmodSync(program.dir, 0o755);
  for (const path of having(0o077, program.home)) chmodSync(path, statSync(path).mode & 0o700);
  assert.doesNotMatch(program.succeeds('status').stderr, TOLD);
  repack();
  assert.deepEqual(having(0o077, program.home), []);
});
