import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, statfsSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, mock, test } from 'node:test';
import { sha256 } from '../../dag/cid.ts';
import type { OpenOffsets } from './offsets-cache.ts';
import { OpenCar } from './open-car.ts';

let dir: string;
let path: string;
let fd: number;
before(() => {
  dir = mkdtempSync(join(tmpdir(), 'shardctl-open-car-'));
  path = join(dir, 'car');
  writeFileSync(path, 'a block');
  fd = openSync(path, 'r');
});
after(() => {
  mock.restoreAll();
  closeSync(fd);
  rmSync(dir, { recursive: true });
});

const digest = sha256(Buffer.from('a block'));
const other = Buffer.from('another');
const opened = () => new OpenCar('cid', 'peer', path, fd, 7, {} as OpenOffsets);
/** As if that long had passed. */
const passed = (ms: number) => {
  const now = Date.now();
  mock.method(Date, 'now', () => now + ms);
};

test('a block is hashed each time while the file was written a moment ago', () => {
  const car = opened();
  assert.equal(car.isIntact(0, readFileSync(path), digest), true);
  assert.equal(car.isIntact(0, other, digest), false);
});

test('a block that was found intact in a file at rest is not hashed again there; elsewhere, and as another block, it is', () => {
  passed(60_000);
  const car = opened();
  assert.equal(car.isIntact(0, readFileSync(path), digest), true);
  assert.equal(car.isIntact(0, other, digest), true, 'it was not looked at');
  assert.equal(car.isIntact(1, other, digest), false);
  assert.equal(car.isIntact(0, readFileSync(path), sha256(other)), false);
  assert.equal(opened().isIntact(0, other, digest), false, 'another file');
});

test('a block is hashed again when its file was written into, also when its mtime was set back', () => {
  const car = opened();
  const mtime = new Date(1_600_000_000_000);
  utimesSync(path, mtime, mtime);
  passed(60_000);
  assert.equal(car.isIntact(0, readFileSync(path), digest), true);
  assert.equal(car.isIntact(0, other, digest), true);
  // The next tick of the clock that stamps files.
  const before = readFileSync('/proc/uptime', 'latin1');
  while (readFileSync('/proc/uptime', 'latin1') === before);
  writeFileSync(path, 'b block');
  utimesSync(path, mtime, mtime);
  assert.equal(car.isIntact(0, readFileSync(path), digest), false);
});

test('what the system had to forget of a file is hashed again when it comes from the disk', {
  // What is on tmpfs is never forgotten.
  skip: process.platform !== 'linux' || statfsSync(tmpdir()).type === 0x01021994,
}, (t) => {
  writeFileSync(path, 'a block', { flush: true });
  passed(60_000);
  const car = opened();
  const into = Buffer.alloc(7);
  if (!car.fromMemory(into, 0)) return t.skip('the file system cannot tell what is in memory');
  assert.equal(into.toString(), 'a block');
  assert.equal(car.isIntact(0, into, digest), true);
  assert.equal(car.isKnown(0, digest), true);
  assert.equal(car.fromMemory(Buffer.alloc(8), 0), false, 'there are not as many bytes');
  assert.equal(car.isIntact(0, into, digest), true);
  // Has the system forget the file. It keeps a page that it is just about to look after, so it is asked until it has; but once only
  // then, because whoever asks for what is not there may have it read.
  let isInMemory = true;
  for (let asked = 0; asked < 1000 && isInMemory; asked++) {
    execFileSync('dd', [`if=${path}`, 'iflag=nocache', 'count=0'], { stdio: 'ignore' });
    isInMemory = car.fromMemory(into, 0);
  }
  assert.equal(isInMemory, false);
  assert.equal(car.isKnown(0, digest), false);
  assert.equal(car.isIntact(0, other, digest), false);
});
