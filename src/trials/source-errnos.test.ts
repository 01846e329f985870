import assert from 'node:assert/strict';
import { rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { ShardctlError } from '../core/errors.ts';
import { oneIn } from '../testing/depth.ts';
import { FaultMount, withoutFuse } from '../testing/fault-mount/fault-mount.ts';
import { LINUX_ERRNO, type Operation } from '../testing/fault-mount/faults.ts';
import { TestHome } from '../testing/run.ts';
import { writeTree } from '../testing/tree.ts';

/** Besides those without a name: what says "replaced" of an ordinary file, each time anew, and a number that nobody has. */
const { ENOSYS: _, ...others } = LINUX_ERRNO; // with ENOSYS a FUSE server says that it opens nothing, and is not asked again
const ERRNOS = { ...others, ENXIO: 6, ESPIPE: 29, 'errno 511': 511, ELOOP: 40 };

/** Where they come from, several in one run: four entries, each of which must stay as it was. */
const PLACES: readonly (readonly (readonly [Operation, string])[])[] = [
  [
    ['lookup', 'a'],
    ['read', 'large'],
    ['readlink', 'link'],
    ['opendir', 'sub'],
  ],
  [
    ['open', 'a'],
    ['open', 'large'],
    ['lookup', 'link'],
    ['readdir', 'sub'],
  ],
  [
    ['read', 'a'],
    ['lookup', 'large'],
    ['readlink', 'link'],
    ['lookup', 'sub'],
  ],
];

const sample = oneIn(6);

describe('a source that fails', { skip: withoutFuse() }, () => {
  let mount: FaultMount;
  let home: TestHome;
  let turn = 0;

  before(async () => {
    mount = await FaultMount.start();
    writeTree(mount.below, { a: 'a', large: Buffer.alloc(1_100_000), link: { link: 'a' }, sub: { b: 'b' }, z: 'z' });
  });
  after(() => mount.dispose());
  beforeEach(async () => {
    home = await TestHome.create();
    await mount.set({});
    await home.add(mount.dir);
  });
  afterEach(() => home.remove());

  /** Everything is another one than before, so that all of it is looked at. */
  function touchAll(): void {
    turn++;
    for (const path of ['a', 'large', 'sub/b', 'sub']) utimesSync(join(mount.below, path), turn, turn);
    rmSync(join(mount.below, 'link'));
    symlinkSync(`target-${turn}`, join(mount.below, 'link'));
    writeFileSync(join(mount.below, 'z'), `z${turn}`);
  }

  for (const places of PLACES) {
    const texts = places.map(([operation, path]) => `${operation} of ${path}`);
    it(`with ${texts.join(', ')} keeps these entries as they were, whatever the errno, and takes the rest`, {
      skip: sample(),
    }, async () => {
      for (const [name, errno] of Object.entries(ERRNOS).filter((_, i) => i % PLACES.length === PLACES.indexOf(places))) {
        touchAll();
        await mount.set({ refuse: places.map(([operation, path]) => ({ on: [operation], path: new RegExp(`^${path}$`), errno })) });
        const { unchanged, files, symlinks, directories, problems } = (await home.add(mount.dir)).summary;
        assert.deepEqual({ unchanged, files, symlinks, directories }, { unchanged: false, files: 4, symlinks: 1, directories: 2 }, name);
        assert.deepEqual([problems.unreadable, problems.vanished], [4, 0], name);
      }
    });
  }

  it('at a symlink that is reached through another one keeps that symlink, too: it is there, and only cannot be read', async () => {
    symlinkSync('/elsewhere', join(mount.below, 'sub', 'out'));
    symlinkSync('sub', join(mount.below, 'alias'));
    rmSync(join(mount.below, 'link'));
    symlinkSync('a', join(mount.below, 'link'));
    try {
      await mount.set({ refuse: [{ on: ['readlink'], path: /^sub\/out$/, errno: 22 }] });
      const { symlinks, problems } = (await home.add(mount.dir, { copyLinks: true })).summary;
      assert.deepEqual([symlinks, problems.unreadable, problems.vanished], [0, 2, 0]);
    } finally {
      for (const path of ['sub/out', 'alias']) rmSync(join(mount.below, path));
    }
  });

  it('at its root is not imported, and not called empty', async () => {
    for (const errno of [LINUX_ERRNO.ESTALE, LINUX_ERRNO.ENOTCONN, LINUX_ERRNO.EUCLEAN]) {
      for (const on of ['getattr', 'opendir', 'readdir'] as const) {
        touchAll();
        await mount.set({ refuse: [{ on: [on], path: /^$/, errno }] });
        await assert.rejects(home.add(mount.dir), (error) => error instanceof ShardctlError && error.code === 'SOURCE_UNREADABLE');
      }
    }
  });
});
