/** Sources on file systems that do not tell the truth: what is committed is what can be read, once, and it is committed once. */
import assert from 'node:assert/strict';
import { rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { profileOf } from '../dag/cid-profile.ts';
import { onlyInAll } from '../testing/depth.ts';
import { tick } from '../testing/each.ts';
import { FaultMount, withoutFuse } from '../testing/fault-mount/fault-mount.ts';
import { freshRoot, type Ran, type RunOptions, TestHome } from '../testing/run.ts';
import { writeTree } from '../testing/tree.ts';

const NO_PROBLEMS = { unreadable: 0, vanished: 0, changed: 0, special: 0 };

describe('a source that lies', { skip: withoutFuse() }, () => {
  let mount: FaultMount;
  let home: TestHome;

  before(async () => {
    mount = await FaultMount.start();
  });
  after(() => mount.dispose());
  beforeEach(async () => {
    await mount.reset();
    home = await TestHome.create();
  });
  afterEach(() => home.remove());

  /** Adds what the mount shows: it must be what is below it. */
  async function addTrue(options: RunOptions = {}): Promise<Ran> {
    await tick();
    const ran = await home.add(mount.dir, options);
    assert.equal(ran.summary.tree, await freshRoot(mount.below, options));
    assert.deepEqual(ran.summary.problems, NO_PROBLEMS);
    return ran;
  }

  it('and lists names twice has each of them once, and is unchanged when nothing changed', async () => {
    writeTree(mount.below, { a: 'one', sub: { b: 'two', c: { d: 'three' } }, link: { link: 'a' } });
    const twice = ['a', 'sub', 'sub/b', 'sub/c', 'link'];
    await mount.set({ twice });
    const { summary } = await addTrue();
    assert.deepEqual([summary.files, summary.directories, summary.symlinks], [3, 3, 1]);
    const entries = join(home.dir, 'index', 'entries', 'test');
    const written = statSync(entries, { bigint: true }).ctimeNs;
    const again = await addTrue();
    assert.deepEqual([again.summary.unchanged, again.summary.changedEntries], [true, 0]);
    assert.equal(statSync(entries, { bigint: true }).ctimeNs, written, 'the entries are not even begun anew');

    writeFileSync(join(mount.below, 'sub/new'), 'new');
    rmSync(join(mount.below, 'sub/b'));
    await mount.set({ twice: [...twice, 'sub/new'] });
    const { summary: changed } = await addTrue();
    assert.deepEqual([changed.unchanged, changed.changedEntries], [false, 3]);
  });

  for (const { how, large, ...options } of [
    { how: 'in chunks of a megabyte', large: 6_000_000 },
    { how: 'in short chunks', large: 20_000, profile: profileOf('unixfs-v1-2025', 'size-500') },
    { how: 'in chunks cut by content', large: 20_000, profile: profileOf('unixfs-v1-2025', 'rabin-64-128-256') },
    { how: 'without metadata', large: 500_000, profile: profileOf('unixfs-v0-2015'), metadata: false },
  ]) {
    it(`about lengths is read to the end of each file, ${how}`, { skip: large === 20_000 ? onlyInAll() : false }, async () => {
      const said: Record<string, number> = {};
      for (const length of [0, 1, 500, 3000, large]) {
        for (const lie of [0, 500, 2999, large - 1, 1e15]) {
          if (lie === length) continue;
          const name = `${length} and says ${lie}`;
          writeTree(mount.below, { [name]: 'z'.repeat(length) });
          said[name] = lie;
        }
      }
      await mount.set({ sizes: said, directIo: true });
      await addTrue(options);
      assert.equal((await addTrue(options)).summary.unchanged, true);
      assert.deepEqual(await home.damage(), []);
    });
  }

  it('about lengths, and gives a page at a time, is read to the end of each file, too', async () => {
    const lengths = [1, 4095, 4096, 4097, 8192, 20_000];
    for (const length of lengths) writeTree(mount.below, { [`${length}`]: 'z'.repeat(length) });
    await mount.set({ sizes: Object.fromEntries(lengths.map((length) => [`${length}`, 4096])), directIo: true, mostRead: 4096 });
    await addTrue();
  });

  it('with inode numbers of 2^63 and more is as one with small ones', async () => {
    writeTree(mount.below, { a: 'one', sub: { b: 'two', large: 'x'.repeat(3_000_000), link: { link: 'b' } } });
    await mount.set({ inodesFrom: 2n ** 63n });
    await addTrue();
    await addTrue({ profile: profileOf('unixfs-v1-2025', 'rabin-64-128-256') });
    await addTrue();
    assert.equal((await addTrue()).summary.unchanged, true);
    writeFileSync(join(mount.below, 'sub/b'), 'three');
    assert.deepEqual((await addTrue()).summary.newFiles, 1);
  });

  for (const { how, ...options } of [
    { how: 'in chunks of a megabyte' },
    { how: 'by content', profile: profileOf('unixfs-v1-2025', 'rabin') },
  ]) {
    it(`and numbers anew at each look-up is imported as it is when inodes are ignored, ${how}`, {
      skip: how === 'by content' && onlyInAll(),
    }, async () => {
      const source = join(mount.dir, 'source');
      const below = writeTree(join(mount.below, 'source'), {
        a: 'one',
        sub: { b: 'two', large: 'x'.repeat(3_000_000), link: { link: 'b' } },
      });
      await mount.set({ renumbers: true });
      const trust = { ignoreCtime: false, ignoreInode: true, checksum: false };
      const add = async () => {
        await tick();
        const { summary } = await home.add(source, { ...options, trust });
        assert.equal(summary.tree, await freshRoot(below, options));
        assert.deepEqual(summary.problems, NO_PROBLEMS);
        return summary;
      };
      await add();
      assert.equal((await add()).unchanged, true);
      writeFileSync(join(below, 'sub/b'), 'three');
      assert.equal((await add()).newFiles, 1);
    });
  }

  it('and numbers anew is not committed when inodes count, and the message says what helps', async () => {
    const source = join(mount.dir, 'source');
    writeTree(join(mount.below, 'source'), { a: 'one' });
    await mount.set({ renumbers: true });
    await assert.rejects(home.add(source), { code: 'SOURCE_MISSING', hint: /--ignore-inode/ });
  });
});
