/** Sources on file systems that do not tell the truth: what is committed is what can be read, once, and it is committed once. */
import assert from 'node:assert/strict';
import { readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { tick } from './testing/each.ts';
import { FaultMount, withoutFuse } from './testing/fault-mount/fault-mount.ts';
import { freshRoot, type Ran, TestHome } from './testing/run.ts';
import { writeTree } from './testing/tree.ts';

const NO_PROBLEMS = { unreadable: 0, vanished: 0, changed: 0, special: 0 };

describe('a source that lies', { skip: withoutFuse() }, () => {
  let mount: FaultMount;
  let home: TestHome;

  before(async () => {
    mount = await FaultMount.start();
  });
  after(() => mount.dispose());
  beforeEach(async () => {
    await mount.set({});
    for (const name of readdirSync(mount.below)) rmSync(join(mount.below, name), { recursive: true });
    home = await TestHome.create();
  });
  afterEach(() => home.remove());

  /** Adds what the mount shows: it must be what is below it. */
  async function addTrue(): Promise<Ran> {
    await tick();
    const ran = await home.add(mount.dir);
    assert.equal(ran.summary.tree, await freshRoot(mount.below));
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
});
