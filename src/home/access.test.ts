/** Others may write on a local peer while its modes are changed: those of nothing else change. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs, { chmodSync, lchownSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire, syncBuiltinESMExports } from 'node:module';
import { platform, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { keepSwapping } from '../testing/swapper.ts';
import { close, open } from './access.ts';

const UMASK = 0o022;
const noPython = spawnSync('python3', ['--version']).status === 0 ? false : 'no python3';
/** Modes were changed elsewhere within 0.1 s here when chmod(2) was called with a path. */
const LONG_MS = 1_000;

let dir: string;
let peer: string;
let elsewhere: string;
const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8);
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'shardctl-access-'));
  [peer, elsewhere] = [join(dir, 'peer'), join(dir, 'elsewhere')];
  for (const top of [join(peer, 'shards'), elsewhere]) {
    mkdirSync(join(top, 'ab'), { recursive: true, mode: 0o700 });
    writeFileSync(join(top, 'ab/file'), '', { mode: 0o600 });
  }
  chmodSync(peer, 0o700);
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

test('a peer is opened to others with all that is in it but notes, and closed again at its top', () => {
  writeFileSync(join(peer, 'shards/x.note'), '', { mode: 0o600 });
  open(peer, ['shards', 'gone'], UMASK);
  assert.deepEqual(
    ['', 'shards', 'shards/ab', 'shards/ab/file', 'shards/x.note'].map((path) => modeOf(join(peer, path))),
    ['755', '755', '755', '644', '600'],
  );
  close(peer, ['shards', 'gone']);
  assert.deepEqual([modeOf(peer), modeOf(join(peer, 'shards'))], ['700', '700']);
});

test('a directory that this user may not read stays as it is, and what is beside it is opened', (t) => {
  const { readdirSync } = fs;
  const read = t.mock.method(fs, 'readdirSync', (path: string) => {
    const names = readdirSync(path);
    if (names.includes('of-root')) throw Object.assign(new Error(`EACCES: scandir '${path}'`), { code: 'EACCES' });
    return names;
  });
  syncBuiltinESMExports();
  t.after(() => {
    read.mock.restore();
    syncBuiltinESMExports();
  });
  mkdirSync(join(peer, 'shards/aa/of-root'), { recursive: true });
  open(peer, ['shards'], UMASK);
  assert.deepEqual([modeOf(peer), modeOf(join(peer, 'shards/ab/file'))], ['755', '644']);
});

test('a symlink in a peer is opened for nobody, and closed only where the owner of the peer has put it there', () => {
  chmodSync(elsewhere, 0o755);
  symlinkSync(elsewhere, join(peer, 'linked'));
  open(peer, ['linked'], UMASK);
  assert.equal(modeOf(join(elsewhere, 'ab')), '700');
  if (process.getuid?.() === 0) {
    lchownSync(join(peer, 'linked'), 12345, 12345);
    close(peer, ['linked']);
    assert.equal(modeOf(elsewhere), '755');
    lchownSync(join(peer, 'linked'), 0, 0);
  }
  close(peer, ['linked']);
  assert.equal(modeOf(elsewhere), '700');
});

/** @returns whether another process gets a lock on the file (fcntl(2)), as LMDB takes one on its table of readers */
const othersLock = (file: string) =>
  spawnSync('python3', ['-c', 'import fcntl, sys; fcntl.lockf(open(sys.argv[1], "r+"), fcntl.LOCK_EX | fcntl.LOCK_NB)', file]).status === 0;

test('a lock that this process has on a file is kept when the file is opened to others', { skip: noPython }, async () => {
  const file = join(peer, 'shards/data.mdb');
  const { open: openTables } = createRequire(import.meta.url)('lmdb') as typeof import('lmdb');
  const tables = openTables({ path: file, noSubdir: true });
  try {
    assert.equal(othersLock(`${file}-lock`), false);
    open(peer, ['shards'], UMASK);
    assert.equal(othersLock(`${file}-lock`), false);
  } finally {
    await tables.close();
  }
});

test('while a directory of the peer is exchanged for a symlink over and over, nothing elsewhere is opened', {
  skip: platform() !== 'linux',
}, async () => {
  const stop = await keepSwapping({ directory: join(peer, 'shards'), elsewhere, mostMs: 0 });
  for (const end = Date.now() + LONG_MS; Date.now() < end; await sleep(0))
    for (let time = 0; time < 50; time++) open(peer, ['shards'], UMASK);
  await stop();
  assert.deepEqual(
    ['', 'ab', 'ab/file'].map((path) => modeOf(join(elsewhere, path))),
    ['700', '700', '600'],
  );
  assert.equal(modeOf(join(peer, 'shards/ab/file')), '644');
});
