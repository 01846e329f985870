import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { afterEach, beforeEach, test } from 'node:test';
import { LogFile } from './log-file.ts';

let dir: string;
let path: string;
let moment: number;
let troubles: string[];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'shardctl-log-'));
  path = join(dir, 'log');
  moment = 0;
  troubles = [];
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function open(at = path, mayBeGone = false): LogFile {
  return new LogFile({ path: at, mayBeGone, now: () => moment, onTrouble: (message) => troubles.push(message) });
}

test('lines are appended to what is there, in a file that its owner alone reads', () => {
  const umask = process.umask(0);
  try {
    open().write('one');
    open().write('two');
  } finally {
    process.umask(umask);
  }
  assert.equal(readFileSync(path, 'utf8'), 'one\ntwo\n');
  assert.equal(statSync(path).mode & 0o777, 0o600);
});

test('a file that was moved away gets no more lines once a second is over, and a new one gets them', () => {
  const log = open();
  log.write('one');
  renameSync(path, `${path}.1`);
  log.write('two');
  moment += 1000;
  log.write('three');
  assert.equal(readFileSync(`${path}.1`, 'utf8'), 'one\ntwo\n');
  assert.equal(readFileSync(path, 'utf8'), 'three\n');
  renameSync(path, `${path}.2`);
  // As logrotate's `create` does.
  writeFileSync(path, '');
  moment += 1000;
  log.write('four');
  assert.equal(readFileSync(path, 'utf8'), 'four\n');
  assert.deepEqual(troubles, []);
});

test('what cannot be written is told once, and the next line is tried all the same', { skip: process.platform !== 'linux' }, () => {
  const full = open('/dev/full');
  full.write('one');
  full.write('two');
  assert.deepEqual(troubles, ['cannot write the log /dev/full: ENOSPC: no space left on device; the run goes on without it']);
  troubles = [];
  const fifo = join(dir, 'fifo');
  spawnSync('mkfifo', [fifo]);
  const unread = open(fifo);
  unread.write('one');
  unread.write('two');
  assert.equal(troubles.length, 1);
});

test('a file that can never be made is a mistake in the command line', () => {
  for (const at of [join(dir, 'not-there', 'log'), dir, join('/dev/null', 'log')])
    assert.throws(() => open(at), { code: 'USAGE', message: /^--log-file / });
});

test('where there was a file before, that there can be none is told once, and it is written when there can be', () => {
  const below = join(dir, 'not-there', 'log');
  const log = open(below, true);
  log.write('one');
  log.write('two');
  assert.equal(troubles.length, 1);
  mkdirSync(join(dir, 'not-there'));
  moment += 1000;
  log.write('three');
  assert.equal(readFileSync(below, 'utf8'), 'three\n');
});

test('a line that was torn before, by a full disk, is not gone on with', () => {
  writeFileSync(path, 'whole\ntorn');
  const log = open();
  log.write('one');
  log.write('two');
  assert.equal(readFileSync(path, 'utf8'), 'whole\ntorn\none\ntwo\n');
});
