/** The whole program and the kernel of this machine: what is mounted is the source, and stays so whatever other runs do. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  existsSync,
  lutimesSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { onlyInAll } from '../testing/depth.ts';
import { listing } from '../testing/listing.ts';
import { MountProcess, withoutMounts } from '../testing/mount-process.ts';
import { without } from '../testing/package-tools/required.ts';
import { Program } from '../testing/program.ts';
import { writeTree } from '../testing/tree.ts';
import { mountedOn } from './channel/mount-point.ts';

/** More than one leaf, the last one short. */
const LARGE = Buffer.alloc(3_500_001, 'a large file, ');

function writeSource(dir: string): void {
  writeTree(dir, {
    'a file': 'content',
    large: LARGE,
    empty: '',
    link: { link: 'directory/below' },
    nowhere: { link: '/nowhere/at all' },
    directory: { below: 'below', deeper: { deepest: Buffer.alloc(70_000, 'x') } },
    'no files': {},
  });
  writeFileSync(Buffer.concat([Buffer.from(`${dir}/odd `), Buffer.from([0xff, 0xfe])]), 'not UTF-8');
  chmodSync(join(dir, 'a file'), 0o400);
  chmodSync(join(dir, 'directory'), 0o711);
  utimesSync(join(dir, 'empty'), 1, 1234567890.5);
  utimesSync(join(dir, 'large'), 1, -3.25);
  lutimesSync(join(dir, 'link'), 1, 1e9);
}

describe('a mount', { skip: withoutMounts() }, () => {
  const program = new Program();
  const source = program.path('mirror');
  let mount: MountProcess;
  before(async () => {
    writeSource(source);
    program.succeeds('add', 'mirror', '-q');
    mount = await MountProcess.start(program, 'mirror');
  });
  after(async () => {
    await mount.dispose();
    program.dispose();
  });

  test('is the source: names, kinds, modes, times to the nanosecond, targets and content', () => {
    assert.deepEqual(listing(mount.dir), listing(source));
    assert.throws(() => writeFileSync(join(mount.dir, 'new'), ''), { code: 'EROFS' });
    assert.throws(() => statSync(join(mount.dir, 'nothing')), { code: 'ENOENT' });
  });

  test('is no difference to rsync', { skip: onlyInAll(without('rsync', 'rsync')) }, () => {
    for (const options of ['-ani', '-anic', '-aniHX'])
      assert.equal(spawnSync('rsync', [options, `${source}/`, `${mount.dir}/`], { encoding: 'utf8' }).stdout, '');
  });

  test('shows a new head; who has an old file open reads on in it', async () => {
    const open = openSync(join(mount.dir, 'large'), 'r');
    const same = statSync(join(mount.dir, 'directory/below')).ino;
    assert.ok(!existsSync(join(mount.dir, 'added')));
    writeFileSync(join(source, 'large'), Buffer.alloc(2_000_000, 'another content'));
    writeFileSync(join(source, 'added'), 'added');
    rmSync(join(source, 'directory/deeper'), { recursive: true });
    const changed = program.follow(() => {}, 'update', 'mirror', '-q');
    assert.equal((await changed).code, 0);
    while (!existsSync(join(mount.dir, 'added'))) await sleep(20);
    assert.deepEqual(listing(mount.dir), listing(source));
    assert.equal(statSync(join(mount.dir, 'directory/below')).ino, same);
    const bytes = Buffer.alloc(LARGE.length + 1);
    assert.equal(readSync(open, bytes, 0, bytes.length, 0), LARGE.length);
    closeSync(open);
    assert.ok(bytes.subarray(0, LARGE.length).equals(LARGE));
  });

  test('ends when it is told to, and leaves nothing behind', async () => {
    mount.kill('SIGTERM');
    assert.equal(await mount.ended(), 0);
    assert.equal(mountedOn(mount.dir), undefined);
    assert.deepEqual(readdirSync(mount.dir), []);
    assert.equal(mount.said.length, 1);
  });
});

describe('a mount, and what goes wrong', { skip: onlyInAll(withoutMounts()) }, () => {
  const program = new Program();
  const source = program.path('mirror');
  before(() => {
    writeSource(source);
    for (const peer of ['one', 'two']) program.succeeds('peers', 'add', 'local', program.path(peer), '--name', peer);
    program.succeeds('add', 'mirror', '-q', '--replication', '2');
  });
  after(() => program.dispose());

  test('many who read at once, each from another place, get what is there', async () => {
    const mount = await MountProcess.start(program, 'mirror@1');
    try {
      const script = `
        const [file, from, step] = process.argv.slice(1); const fs = require('node:fs'); const fd = fs.openSync(file);
        const bytes = Buffer.alloc(5000); const hash = require('node:crypto').createHash('sha256');
        for (let at = Number(from); at < 1500000; at += Number(step)) hash.update(bytes.subarray(0, fs.readSync(fd, bytes, 0, 5000, at)));
        console.log(hash.digest('hex'));`;
      const read = (dir: string, at: number) =>
        spawnSync(process.execPath, ['-e', script, join(dir, 'large'), `${at * 997}`, `${4001 + at * 1777}`], { encoding: 'utf8' }).stdout;
      for (let at = 0; at < 4; at++) assert.equal(read(mount.dir, at), read(source, at));
    } finally {
      await mount.dispose();
    }
  });

  /** Changes a byte of what `large` has in the middle, in the CARs of these peers. */
  function damage(...peers: string[]): void {
    for (const peer of peers) {
      for (const name of readdirSync(program.path(peer), { recursive: true, encoding: 'utf8' })) {
        if (!name.endsWith('.car')) continue;
        const path = program.path(peer, name);
        const bytes = readFileSync(path);
        const at = bytes.indexOf(LARGE.subarray(2_000_000, 2_001_000));
        if (at < 0) continue;
        bytes[at] = (bytes[at] as number) ^ 1;
        writeFileSync(path, bytes);
      }
    }
  }

  test('what one replica has damaged is read from another one; what none has is EIO, for that part alone, and told once', async () => {
    damage('one');
    let mount = await MountProcess.start(program, 'mirror@1');
    assert.ok(readFileSync(join(mount.dir, 'large')).equals(LARGE));
    await mount.dispose();
    damage('two');
    mount = await MountProcess.start(program, 'mirror@1');
    try {
      for (let round = 0; round < 2; round++) assert.throws(() => readFileSync(join(mount.dir, 'large')), { code: 'EIO' });
      const file = openSync(join(mount.dir, 'large'), 'r');
      const end = Buffer.alloc(1000);
      assert.equal(readSync(file, end, 0, 1000, LARGE.length - 1000), 1000);
      assert.ok(end.equals(LARGE.subarray(-1000)));
      closeSync(file);
      assert.equal(readFileSync(join(mount.dir, 'a file'), 'utf8'), 'content');
      const told = () => mount.said.filter((line) => line.includes('"large"'));
      while (told().length === 0) await sleep(20);
      assert.equal(told().length, 1, mount.said.join('\n'));
    } finally {
      await mount.dispose();
    }
  });

  test('a directory is refused that is not there, not empty, no directory, or mounted on, with a command that helps', async () => {
    program.fails(40, /mkdir -p /, 'mount', 'mirror', 'nothing');
    program.fails(2, /is not empty/, 'mount', 'mirror', 'mirror');
    program.fails(2, /is not a directory/, 'mount', 'mirror', join('mirror', 'empty'));
    program.fails(2, /only a directory can be mounted/, 'mount', 'mirror/empty', 'mount');
    program.fails(40, /no repository/, 'mount', 'other', 'mount');
    const mount = await MountProcess.start(program, 'mirror/directory');
    program.fails(2, /already.*fusermount3 -u /, 'mount', 'mirror', 'mount');
    assert.deepEqual(readdirSync(mount.dir), ['below', 'deeper']);
    mount.kill('SIGKILL');
    await mount.ended();
    program.fails(2, /fusermount3 -u /, 'mount', 'mirror', 'mount');
    await mount.dispose();
  });

  test('somebody who is in it is named, and does not hold up its end; umount ends it, too', async () => {
    const mount = await MountProcess.start(program, 'mirror');
    const file = openSync(join(mount.dir, 'large'), 'r');
    mount.kill('SIGINT');
    assert.equal(await mount.ended(), 0);
    assert.match(mount.said.at(-1) ?? '', new RegExp(`process ${process.pid}`));
    assert.equal(mountedOn(mount.dir), undefined);
    assert.throws(() => readSync(file, Buffer.alloc(10), 0, 10, 3_000_000), { code: 'ENOTCONN' });
    assert.throws(() => closeSync(file), { code: 'ENOTCONN' });
    const other = await MountProcess.start(program, 'mirror');
    spawnSync('umount', [other.dir]);
    assert.equal(await other.ended(), 0);
  });
});
