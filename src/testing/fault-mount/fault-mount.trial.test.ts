import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { FaultMount, withoutFuse } from './fault-mount.ts';
import { LINUX_ERRNO } from './faults.ts';

describe('a fault mount', { skip: withoutFuse() }, () => {
  let mount: FaultMount;
  const at = (path: string) => join(mount.dir, path);
  const errnoOf = (action: () => unknown): number => {
    try {
      action();
    } catch (error) {
      return -((error as { errno?: number }).errno ?? 0);
    }
    return 0;
  };

  before(async () => {
    mount = await FaultMount.start();
  });
  after(() => mount.dispose());
  beforeEach(async () => {
    await mount.reset();
  });

  it('without faults is an ordinary file system', () => {
    mkdirSync(at('d'));
    writeFileSync(at('d/f'), 'x'.repeat(3_000_000));
    assert.equal(readFileSync(join(mount.below, 'd/f')).length, 3_000_000);
    renameSync(at('d'), at('e'));
    assert.equal(readFileSync(at('e/f')).length, 3_000_000);
    linkSync(at('e/f'), at('hard'));
    assert.equal(statSync(at('hard')).nlink, 2);
    symlinkSync('e/f', at('soft'));
    assert.equal(readlinkSync(at('soft')), 'e/f');
    chmodSync(at('hard'), 0o4711);
    utimesSync(at('hard'), 1, 2);
    assert.deepEqual([statSync(at('e/f')).mode & 0o7777, statSync(at('e/f')).mtimeMs], [0o4711, 2000]);
    assert.ok(statfsSync(mount.dir).blocks > 0);
    const bytes = Buffer.concat([Buffer.from(`${mount.dir}/`), Buffer.from([0xff, 0x62])]);
    writeFileSync(bytes, 'bytes');
    assert.deepEqual(readdirSync(mount.dir, 'latin1').sort(), ['e', 'hard', 'soft', '\xffb'].sort());
    unlinkSync(bytes);
    const fd = openSync(at('hard'), 'r+');
    unlinkSync(at('hard'));
    fsyncSync(fd);
    closeSync(fd);
    rmSync(at('e'), { recursive: true });
    assert.equal(existsSync(join(mount.below, 'e')), false);
  });

  it('refuses what it is told to, by number, as often as it is told', async () => {
    writeFileSync(at('a'), 'a');
    writeFileSync(at('b'), 'b');
    for (const errno of Object.values(LINUX_ERRNO)) {
      await mount.set({ refuse: [{ on: ['lookup'], path: /^a$/, errno }] });
      assert.equal(
        errnoOf(() => lstatSync(at('a'))),
        errno,
      );
      assert.equal(
        errnoOf(() => lstatSync(at('b'))),
        0,
      );
    }
    await mount.set({ refuse: [{ on: ['open'], errno: LINUX_ERRNO.ESTALE, after: 1 }] });
    assert.equal(readFileSync(at('a'), 'utf8'), 'a');
    assert.equal(
      errnoOf(() => readFileSync(at('a'))),
      LINUX_ERRNO.ESTALE,
    );
    await mount.set({
      refuse: [
        { on: ['fsyncdir'], errno: LINUX_ERRNO.EINVAL },
        { on: ['chmod'], errno: LINUX_ERRNO.EPERM },
        { on: ['statfs'], errno: LINUX_ERRNO.EIO },
        { on: ['write'], path: /b/, errno: LINUX_ERRNO.EDQUOT },
      ],
    });
    const fd = openSync(mount.dir, 'r');
    assert.equal(
      errnoOf(() => fsyncSync(fd)),
      LINUX_ERRNO.EINVAL,
    );
    closeSync(fd);
    assert.equal(
      errnoOf(() => chmodSync(at('a'), 0)),
      LINUX_ERRNO.EPERM,
    );
    assert.equal(
      errnoOf(() => statfsSync(mount.dir)),
      LINUX_ERRNO.EIO,
    );
    assert.equal(
      errnoOf(() => writeFileSync(at('b'), 'more')),
      LINUX_ERRNO.EDQUOT,
    );
  });

  it('lists names twice, and lies about sizes and inodes', async () => {
    writeFileSync(at('a'), 'content');
    await mount.set({ twice: ['a'], sizes: { a: 3 }, directIo: true, inodesFrom: 1n << 63n });
    assert.deepEqual(readdirSync(mount.dir), ['a', 'a']);
    assert.equal(statSync(at('a')).size, 3);
    assert.equal(spawnSync('cat', [at('a')], { encoding: 'utf8' }).stdout, 'content');
    assert.equal(spawnSync('stat', ['-c', '%i', at('a')], { encoding: 'utf8' }).stdout.length, '9223372036854775808\n'.length);
  });

  for (const [openFiles, name] of [
    ['fuse_hidden', /^\.fuse_hidden/],
    ['nfs', /^\.nfs/],
  ] as const) {
    it(`keeps what is removed while it is open (${openFiles}) until it is closed`, async () => {
      await mount.set({ openFiles });
      writeFileSync(at('a'), 'a');
      writeFileSync(at('b'), 'b');
      const fd = openSync(at('a'), 'r');
      renameSync(at('b'), at('a'));
      const [hidden = '', ...others] = readdirSync(mount.dir).sort();
      assert.match(hidden, name);
      assert.deepEqual(others, ['a']);
      if (openFiles === 'nfs') {
        assert.equal(
          errnoOf(() => unlinkSync(at(hidden))),
          LINUX_ERRNO.EBUSY,
        );
      }
      closeSync(fd);
      // FUSE tells of a close after it is done.
      for (let i = 0; i < 100 && readdirSync(mount.dir).length > 1; i++) await new Promise((resolve) => setTimeout(resolve, 10));
      assert.deepEqual(readdirSync(mount.dir), ['a']);
      assert.equal(readFileSync(at('a'), 'utf8'), 'b');
    });
  }

  it('does not let go of an open file when told so', async () => {
    await mount.set({ openFiles: 'refused' });
    writeFileSync(at('a'), 'a');
    const fd = openSync(at('a'), 'r');
    assert.equal(
      errnoOf(() => unlinkSync(at('a'))),
      LINUX_ERRNO.EBUSY,
    );
    closeSync(fd);
  });

  it('is unmounted when the process that started it is killed', async () => {
    const script = `import { FaultMount } from ${JSON.stringify(new URL('./fault-mount.js', import.meta.url).href)};
      console.log((await FaultMount.start()).dir); process.kill(process.pid, 'SIGKILL');`;
    const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
    const dir = stdout.trim();
    assert.match(dir, /shardctl-fault-mount-/);
    for (let i = 0; i < 500 && readFileSync('/proc/mounts', 'utf8').includes(dir); i++)
      await new Promise((resolve) => setTimeout(resolve, 10));
    assert.equal(readFileSync('/proc/mounts', 'utf8').includes(dir), false);
    rmSync(join(dir, '..'), { recursive: true });
  });
});
