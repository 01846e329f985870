import assert from 'node:assert/strict';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { type Libc, loadLibc } from '../../core/libc.ts';
import { DIRECTORY, FILE } from '../../core/model.ts';
import { Destination } from '../../restore/destination.ts';
import { putStrange } from '../../testing/strange-files.ts';
import type { Deletion } from '../publish/deletions.ts';
import { LeftBehind } from '../publish/left-behind.ts';
import { movesOf } from '../publish/moves.ts';
import { publish } from '../publish/publish.ts';
import { OutDirectory } from './out-directory.ts';
import { removeTree } from './removal.ts';

const isLinux = process.platform === 'linux';

let dir: string;
let libc: Libc | undefined;
before(async () => {
  dir = mkdtempSync(join(tmpdir(), 'shardctl-out-'));
  libc = await loadLibc();
});
after(() => rmSync(dir, { recursive: true, force: true }));

function write(...paths: string[]): void {
  for (const path of paths) {
    mkdirSync(dirname(join(dir, path)), { recursive: true });
    writeFileSync(join(dir, path), path);
  }
}

function publishInto(name: string, deletions: readonly Deletion[], { seen = () => {}, calls = libc } = {}): void {
  const [out, staging] = [join(dir, name), join(dir, name, '.shardctl-fetch/new')];
  const moves = movesOf(staging, out, () => true, true);
  const destination = new Destination({ libc, overwrite: true, specialBits: false, warn: () => {} });
  const signal = { throwIfAborted: seen } as AbortSignal;
  const directory = OutDirectory.open(out);
  const aside = `${directory.own}/old`;
  const behind = new LeftBehind(directory, () => {});
  try {
    publish({ out: directory, libc: calls, staging, aside, moves, deletions, destination, behind, emit: () => {}, signal, itemize: false });
  } finally {
    directory.close();
  }
}

test("what lies where fetch's own directory should be is not written through", () => {
  write('links/elsewhere/file');
  mkdirSync(join(dir, 'links/out'));
  symlinkSync('../elsewhere', join(dir, 'links/out/.shardctl-fetch'));
  assert.throws(() => OutDirectory.open(join(dir, 'links/out')), { code: 'USAGE', hint: /`rm / });
  assert.deepEqual(readdirSync(join(dir, 'links/elsewhere')), ['file']);
});

test("symlinks in fetch's own directory came with a tree, and lead nothing elsewhere, and a FIFO there holds up nobody", async () => {
  write('own/elsewhere/file');
  mkdirSync(join(dir, 'own/out/.shardctl-fetch'), { recursive: true });
  for (const name of ['time', 'entries', 'lock']) symlinkSync('../../elsewhere/file', join(dir, 'own/out/.shardctl-fetch', name));
  for (const name of ['old', 'new']) symlinkSync('../../elsewhere', join(dir, 'own/out/.shardctl-fetch', name));
  for (const kind of ['FIFO', 'socket'] as const) await putStrange(kind, join(dir, 'own/out/.shardctl-fetch', kind));
  OutDirectory.open(join(dir, 'own/out')).close();
  assert.deepEqual(readdirSync(join(dir, 'own/out/.shardctl-fetch')), []);
  assert.equal(readFileSync(join(dir, 'own/elsewhere/file'), 'utf8'), 'own/elsewhere/file');
});

test('a symlink that somebody puts in the way when all is decided leads nothing elsewhere', { skip: !isLinux }, () => {
  const changes: readonly [string, readonly Deletion[]][] = [
    ['comes', []],
    ['goes', [{ path: 'open/victim', kind: FILE }]],
    ['directory-goes', [{ path: 'open/below', kind: DIRECTORY }]],
  ];
  for (const [name, deletions] of changes) {
    const elsewhere = join(dir, name, 'elsewhere');
    write(`${name}/elsewhere/victim`, `${name}/elsewhere/below/victim`, `${name}/out/open/victim`, `${name}/out/open/below/victim`);
    if (name === 'comes') write(`${name}/out/.shardctl-fetch/new/open/victim`);
    else mkdirSync(join(dir, name, 'out/.shardctl-fetch/new'), { recursive: true });
    const seen = () => {
      renameSync(join(dir, name, 'out/open'), join(dir, name, 'aside'));
      symlinkSync('../elsewhere', join(dir, name, 'out/open'));
    };
    const work = () => publishInto(`${name}/out`, deletions, { seen });
    // What was to be deleted is not there any more, and that is fine.
    if (name === 'comes') assert.throws(work, { code: 'IO' });
    else work();
    assert.equal(readFileSync(join(elsewhere, 'victim'), 'utf8'), `${name}/elsewhere/victim`);
    assert.ok(existsSync(join(elsewhere, 'below/victim')));
  }
});

test('a directory and a file that takes its place change in one step, and in two where the system has no such step', () => {
  for (const [name, errno] of Object.entries({ one: 0, two: 22 })) {
    let calls = 0;
    const exchange = (a: Uint8Array, b: Uint8Array) => {
      calls++;
      return errno === 0 ? (libc?.exchange?.(a, b) ?? 22) : errno;
    };
    write(`${name}/a/file`, `${name}/b`, `${name}/.shardctl-fetch/new/a`, `${name}/.shardctl-fetch/new/b/file`);
    publishInto(name, [], { calls: { ...(libc as Libc), exchange } });
    assert.equal(calls, 2);
    assert.ok(lstatSync(join(dir, name, 'a')).isFile());
    assert.deepEqual(readdirSync(join(dir, name, 'b')), ['file']);
    assert.deepEqual(readdirSync(join(dir, name, '.shardctl-fetch')), ['new']);
  }
});

test('more directories than are held open, and deeper ones, are reached', () => {
  const deep = Array.from({ length: 100 }, (_, i) => `d${i}`).join('/');
  const wide = Array.from({ length: 100 }, (_, i) => `w${i}/file`);
  const paths = [...wide, `${deep}/file`, ...wide.map((path) => `${deep}/${path}`)];
  write(...paths.map((path) => `many/${path}`));
  mkdirSync(join(dir, 'many/.shardctl-fetch/new'), { recursive: true });
  const open = () => (isLinux ? readdirSync('/proc/self/fd').length : 0);
  const before = open();
  publishInto(
    'many',
    paths.map((path) => ({ path, kind: FILE })),
    // Of the 90 files that a shell may allow, the program itself has about 50.
    { seen: () => assert.ok(open() <= before + 24) },
  );
  for (const path of paths) assert.ok(!existsSync(join(dir, 'many', path)), path);
});

test('a tree is deleted with what is deep in it and with what may not be written to, and no symlink is followed', () => {
  write('tree/kept/file');
  write('tree/gone/a/b/file');
  let at = join(dir, 'tree/gone');
  for (let depth = 0; depth < 1000; depth++) {
    at = join(at, 'd');
    mkdirSync(at);
  }
  symlinkSync(join(dir, 'tree/kept'), join(dir, 'tree/gone/a/link'));
  symlinkSync(join(dir, 'tree/kept'), join(dir, 'tree/link'));
  removeTree(join(dir, 'tree/gone'));
  removeTree(join(dir, 'tree/link'));
  removeTree(join(dir, 'tree/none'));
  assert.deepEqual(readdirSync(join(dir, 'tree')), ['kept']);
  assert.deepEqual(readdirSync(join(dir, 'tree/kept')), ['file']);
});

test('paths in messages are those that people know', () => {
  const out = OutDirectory.open(join(dir, 'shown'));
  assert.equal(out.shown(`writing "${out.own}/new/a" failed`), `writing "${dir}/shown/.shardctl-fetch/new/a" failed`);
  assert.equal(out.shown(`${out.directoryAt('')}: no`), `${dir}/shown: no`);
  const event = { type: 'not-restored', problem: 'damaged', path: `${out.own}/new/a`, detail: `no ${out.own}/new/a` } as const;
  // What is put together is told of by its place in OUT.
  const path = `${dir}/shown/a`;
  assert.deepEqual(out.shownIn(event), { ...event, path, detail: `no ${path}` });
  out.close();
});
