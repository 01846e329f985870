/** What frees space works on a disk on which there is none. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { appendFileSync, closeSync, mkdirSync, openSync, readdirSync, rmSync, statfsSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { errnoOf } from '../core/errors.ts';
import { oneIn, onlyInAll } from '../testing/depth.ts';
import { treeState } from '../testing/hard-tree.ts';
import { Program } from '../testing/program.ts';

const sample = oneIn(5);

const MIB = 1024 * 1024;

let program: Program;
let disk: string;
beforeEach(() => {
  program = new Program();
  disk = program.path('disk');
  mkdirSync(disk);
  mkdirSync(program.path('m'));
});
afterEach(() => {
  spawnSync('umount', ['-l', disk]);
  program.dispose();
});

function mounted(mib: number): boolean {
  return process.getuid?.() === 0 && spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${mib}m`, 'tmpfs', disk]).status === 0;
}

/** To the last byte. */
function fill(): void {
  const fd = openSync(join(disk, 'of-others'), 'w');
  try {
    const piece = Buffer.alloc(MIB / 4);
    for (;;) writeSync(fd, piece);
  } catch (error) {
    assert.equal(errnoOf(error), 'ENOSPC');
  } finally {
    closeSync(fd);
  }
  assert.throws(() => {
    for (;;) appendFileSync(join(disk, 'of-others'), 'x');
  });
  assert.equal(statfsSync(disk).bavail, 0);
}

function change(bytes: number): void {
  writeFileSync(program.path('m', 'large'), randomBytes(bytes));
  writeFileSync(program.path('m', `small-${bytes}`), randomBytes(bytes / 8));
}

function free(): number {
  const { bavail, bsize } = statfsSync(disk);
  return bavail * bsize;
}

test('on the disk of the home: forget, prune, repair, peers add and rm, and after them the next import', { skip: onlyInAll() }, (t) => {
  if (!mounted(112)) return t.skip('needs root, to mount a small file system');
  const home = join(disk, 'home');
  const shardctl = (...argv: string[]) => program.succeeds('--home', home, ...argv);
  change(28 * MIB);
  shardctl('add', 'm', '--shard-size', '4MiB');
  change(MIB);
  shardctl('update');
  fill();
  program.ends(43, '--home', home, 'add', 'm', '--name', 'other');
  shardctl('forget', 'm', '--keep-last', '1');
  assert.ok(free() < MIB, 'what was left of the ballast is taken again before others take it');
  shardctl('repair');
  shardctl('prune');
  assert.ok(free() > 20 * MIB, `${free()}`);
  change(2 * MIB);
  shardctl('update');
  shardctl('verify', '--read-data');
  fill();
  assert.match(program.ends(43, '--home', home, 'update').stderr, /free some space there, .*`shardctl --home \S+ prune`/);
  shardctl('peers', 'add', 'local', program.path('another'));
  shardctl('rm', 'm');
  assert.ok(free() > 4 * MIB, `${free()}`);
});

test('on the disk of a peer: what is thin is copied into the reserve, and goes', { skip: sample() }, (t) => {
  if (!mounted(64)) return t.skip('needs root, to mount a small file system');
  program.succeeds('peers', 'add', 'local', join(disk, 'peer'), '--name', 'p');
  change(8 * MIB);
  program.succeeds('add', 'm');
  change(7 * MIB);
  program.succeeds('update');
  fill();
  program.succeeds('forget', 'm', '--keep-last', '1');
  program.succeeds('prune', '--max-unused', '0');
  assert.ok(free() > 6 * MIB, `${free()}`);
  program.succeeds('verify', '--read-data');
  rmSync(join(disk, 'of-others'));
  fill();
  program.succeeds('peers', 'add', 'local', 'q');
  program.succeeds('peers', 'rm', 'p', '--force');
  assert.ok(readdirSync(join(disk, 'peer')).includes('ballast'));
});

test('on the disk of a home with a peer: one that joins is given what the full one is drained of', { skip: sample() }, (t) => {
  if (!mounted(64)) return t.skip('needs root, to mount a small file system');
  const home = join(disk, 'home');
  const shardctl = (...argv: string[]) => program.succeeds('--home', home, ...argv);
  change(4 * MIB);
  shardctl('add', 'm', '--shard-size', '1MiB');
  fill();
  shardctl('peers', 'add', 'local', program.path('another'));
  shardctl('rebalance');
  const before = free();
  assert.ok(before > MIB, `${before}`);
  fill();
  shardctl('peers', 'drain', 'local');
  shardctl('peers', 'rm', 'local');
  shardctl('verify', '--read-data');
});

test('a copy whose disk is full, or may not be written to, stays as it is, says what helps, and comes when there is room', {
  skip: onlyInAll(),
}, (t) => {
  if (!mounted(12)) return t.skip('needs root, to mount a small file system');
  change(4 * MIB);
  program.succeeds('add', 'm');
  const out = join(disk, 'out');
  const fetched = (code: number) => program.ends(code, 'fetch', 'm', out, '--delete').stderr;
  fetched(0);
  const before = treeState(out, true, ['.shardctl-fetch']);
  change(7 * MIB);
  program.succeeds('update', 'm');
  assert.match(fetched(43), /Nothing in \S+ was changed; make room there \(`df -h \S+`/);
  assert.deepEqual(treeState(out, true, ['.shardctl-fetch']), before);
  fill();
  assert.match(fetched(43), /`df -h \S+`/);
  rmSync(join(disk, 'of-others'));
  spawnSync('mount', ['-o', 'remount,ro', disk]);
  assert.match(fetched(1), /mounted read-only; `findmnt -T \S+`/);
  spawnSync('mount', ['-o', 'remount,rw,size=40m', disk]);
  fetched(0);
  assert.deepEqual(treeState(out, true, ['.shardctl-fetch']), treeState(program.path('m')));
});
