/** A repository that stores symlinks as what they lead to (`--copy-links`). */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  cpSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Event } from '../core/events.ts';
import { oneIn, sampled } from '../testing/depth.ts';
import { beginEach, tick } from '../testing/each.ts';
import { KuboRepo, requireKubo } from '../testing/kubo.ts';
import { freshRoot, TestHome } from '../testing/run.ts';
import { applyEdit, type Edit, edit, writeTree } from '../testing/tree.ts';
import { SecondThread } from './scan/second-thread.ts';

const sample = oneIn(3);

let dir: string;
let home: TestHome;
beginEach((its, itsHome) => {
  dir = its;
  home = itsHome;
});

const copyLinks = { copyLinks: true };

/** A mirror as Debian lays it out. */
function writeMirror(): void {
  writeTree(dir, {
    dists: { bookworm: { Release: 'one', main: { Packages: 'two' } }, stable: { link: 'bookworm' }, oldest: { link: 'stable' } },
    pool: { a: 'three', 'latest.deb': { link: 'a' } },
    elsewhere: { link: '/etc/hostname' },
  });
}

interface Link {
  readonly path: string;
  readonly parts: readonly string[];
  readonly prefix: string;
}

/** What the tree should be, made with the kernel's own resolution. */
function resolved(root: string, to: string, origin = '', way: readonly string[] = [root]): void {
  mkdirSync(join(to, origin), { recursive: true });
  const here = way.at(-1) as string;
  for (const name of readdirSync(here)) {
    const [from, at] = [join(here, name), join(to, origin, name)];
    const real = realPath(from);
    const isInside = real !== undefined && `${real}/`.startsWith(`${root}/`) && !way.includes(real);
    if (lstatSync(from).isSymbolicLink() && !isInside) symlinkSync(readlinkSync(from), at);
    else if (statSync(real as string).isDirectory()) resolved(root, to, join(origin, name), [...way, real as string]);
    else writeFileSync(at, readFileSync(real as string));
  }
}

function realPath(path: string): string | undefined {
  try {
    // As the kernel has it: the other one takes `a/..` for nothing, although `a` may be a symlink.
    return realpathSync.native(path);
  } catch {
    return undefined;
  }
}

/** Of the tree that should be, without metadata. */
async function expectedRoot(source: string): Promise<string> {
  const copy = mkdtempSync(join(tmpdir(), 'shardctl-resolved-'));
  try {
    resolved(realpathSync(source), copy);
    return await freshRoot(copy, { metadata: false });
  } finally {
    rmSync(copy, { recursive: true });
  }
}

test('whatever links lead to, and whatever is edited, the tree is that in which they were resolved by hand', {
  skip: sample(),
}, async () => {
  const name = fc.constantFrom('a', 'b', 'a-b', 'B', '0');
  const part = fc.constantFrom('a', 'b', 'a-b', 'B', '0', '..', '.');
  const link: fc.Arbitrary<Link> = fc.record({
    path: fc.array(name, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/')),
    parts: fc.array(part, { minLength: 1, maxLength: 3 }),
    prefix: fc.constantFrom('', '', '', 'SOURCE/', 'SOURCE-not/', '../../../../'),
  });
  const step = fc.oneof({ weight: 3, arbitrary: edit.filter(({ kind }) => kind !== 'crowd') }, { weight: 2, arbitrary: link });
  const apply = (source: string, it: Edit | Link) => {
    if ('kind' in it) return applyEdit(source, it);
    try {
      mkdirSync(dirname(join(source, it.path)), { recursive: true });
      symlinkSync(it.prefix.replace('SOURCE', source) + it.parts.join('/'), join(source, it.path));
    } catch {
      // What is in the way stays.
    }
  };
  const steps = (minLength: number, maxLength: number) => fc.array(step, { minLength, maxLength });
  const its = { copyLinks: true, metadata: false, maxDelete: undefined };
  await fc.assert(
    fc.asyncProperty(steps(6, 20), steps(1, 4), async (tree, later) => {
      // Edits go through links as well: wherever those lead, it is still far below what is somebody else's.
      const above = realpathSync(mkdtempSync(join(tmpdir(), 'shardctl-source-')));
      const source = join(above, 'deep/'.repeat(40), 'source');
      writeTree(`${source}-not`, { a: 'outside', b: { a: 'outside' } });
      const itsHome = await TestHome.create();
      try {
        writeTree(source, { still: { x: '1', deep: { y: '2', over: { link: '../../a' } } }, a: { b: { '0': 'zero' } } });
        for (const it of tree) apply(source, it);
        await tick();
        for (const edits of [[], later]) {
          for (const it of edits) apply(source, it);
          await tick();
          const { summary } = await itsHome.add(source, its);
          assert.equal(summary.tree, await expectedRoot(source));
          assert.equal((await itsHome.add(source, its)).summary.unchanged, true);
        }
        assert.deepEqual(await itsHome.damage(), []);
      } finally {
        itsHome.remove();
        rmSync(above, { recursive: true, force: true });
      }
    }),
    { numRuns: sampled(3, 6) },
  );
});

test('what links lead to has the CIDs that it has where it is, costs no block, and comes back as `cp -aL` would copy it', {
  skip: sample(),
}, async () => {
  writeMirror();
  rmSync(join(dir, 'elsewhere'));
  linkSync(join(dir, 'pool', 'a'), join(dir, 'pool', 'hard'));
  symlinkSync('hard', join(dir, 'pool', 'soft'));
  utimesSync(join(dir, 'pool', 'a'), 1_000_000_000, 1_000_000_000.5);
  await tick();
  const { summary } = await home.add(dir, copyLinks);
  const copy = join(home.dir, 'copy');
  execFileSync('cp', ['-aL', dir, copy]);
  assert.equal(summary.tree, await freshRoot(copy));
  // A file and its root node each, the same for every name; and the four directories that differ from one another.
  assert.deepEqual([summary.symlinks, summary.newBlocks], [0, 3 * 2 + 5]);
});

test('where all links lead inside, the root is that of `ipfs add --dereference-symlinks`, in which Kubo finds a path through one', {
  skip: sample(),
}, async (t) => {
  if (!requireKubo(t)) return;
  writeMirror();
  rmSync(join(dir, 'elsewhere'));
  const { summary } = await home.add(dir, { ...copyLinks, metadata: false });
  const kubo = KuboRepo.init(join(home.dir, 'ipfs'), 'unixfs-v1-2025');
  assert.equal(kubo.text(['add', '-r', '-Q', '--hidden', '--dereference-symlinks', dir]), summary.tree);
  assert.equal(kubo.text(['cat', `/ipfs/${summary.tree}/dists/oldest/Release`]), 'one');
});

test('an interrupted run that copied links goes on where it was', { skip: sample() }, async () => {
  for (let i = 0; i < 30; i++) writeTree(dir, { [`dir${i}`]: { file: `${i}`.repeat(30_000) }, [`link${i}`]: { link: `dir${i}` } });
  await tick();
  const abort = new AbortController();
  const cut = { ...copyLinks, shardBytes: 200_000, signal: abort.signal };
  await assert.rejects(home.add(dir, cut, (event) => event.type === 'placed' && event.shard >= 3 && abort.abort(new Error('cut'))));
  const { summary } = await home.add(dir, { ...copyLinks, shardBytes: 200_000 });
  assert.ok(summary.resumedFiles > 0);
  assert.equal(summary.files, 60);
  assert.equal((await home.add(dir, copyLinks)).summary.unchanged, true);
  assert.deepEqual(await home.damage(), []);
});

test('an update that finds nothing writes nothing; one that finds a target changed tells of it under each name', {
  skip: sample(),
}, async () => {
  writeMirror();
  await tick();
  await home.add(dir, copyLinks);
  const state = () =>
    readdirSync(home.dir, { recursive: true, encoding: 'utf8' }).map((name) => [name, statSync(join(home.dir, name)).mtimeMs]);
  const before = state();
  assert.equal((await home.add(dir, copyLinks)).summary.unchanged, true);
  assert.deepEqual(state(), before);

  const changes = (events: readonly Event[]) => events.flatMap((it) => (it.type === 'change' ? [`${it.itemize} ${it.path}`] : []));
  await tick();
  writeFileSync(join(dir, 'dists/bookworm/main/Packages'), 'other');
  await tick();
  const changed = await home.add(dir, { ...copyLinks, itemize: true });
  const names = ['bookworm', 'oldest', 'stable'];
  assert.deepEqual(
    changes(changed.events),
    names.map((name) => `>f.st...... dists/${name}/main/Packages`),
  );
  rmSync(join(dir, 'dists/stable'));
  symlinkSync('../pool', join(dir, 'dists/stable'));
  await tick();
  const moved = await home.add(dir, { ...copyLinks, itemize: true });
  for (const name of ['oldest', 'stable']) {
    assert.ok(changes(moved.events).includes(`>f+++++++++ dists/${name}/latest.deb`), name);
    assert.ok(changes(moved.events).includes(`*deleting dists/${name}/Release`), name);
  }
  assert.equal((await home.add(dir, copyLinks)).summary.unchanged, true);
});

test('with so many entries that two threads look at them, both look to where links lead', { skip: sample() }, async () => {
  const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`${i}-${'y'.repeat(150)}`, `${i}`]));
  for (let i = 0; i < 8; i++) writeTree(dir, { [`dir${i}`]: many(200), [`link${i}`]: { link: `dir${i}` } });
  await tick();
  await home.add(dir, copyLinks);
  const secondThread = new SecondThread();
  assert.equal((await home.add(dir, { ...copyLinks, secondThread })).summary.unchanged, true);
  writeFileSync(join(dir, 'dir7', 'new'), 'new');
  await tick();
  const { summary } = await home.add(dir, { ...copyLinks, secondThread });
  assert.equal(summary.changedEntries, 2 + 2);
  assert.equal((await home.add(dir, { ...copyLinks, secondThread })).summary.unchanged, true);
  secondThread.stop();
});

test('the option is told anew with each add, and filters mean the path by which something is reached', { skip: sample() }, async () => {
  writeMirror();
  await tick();
  const { summary: copied, events } = await home.add(dir, copyLinks);
  const kept = events.filter((event) => event.type === 'links-kept');
  assert.deepEqual(kept, [{ type: 'links-kept', counts: { outside: 1, nowhere: 0, round: 0 }, first: { outside: 'elsewhere' } }]);
  const { summary: stored, events: quiet } = await home.add(dir);
  assert.notEqual(stored.tree, copied.tree);
  assert.equal(stored.tree, await freshRoot(dir));
  assert.equal(
    quiet.some((event) => event.type === 'links-kept'),
    false,
  );
  assert.equal((await home.add(dir, copyLinks)).summary.tree, copied.tree);

  const without = { ...copyLinks, filters: ['- /dists/bookworm/', '- /dists/oldest/', '- latest.deb/'] };
  const { summary } = await home.add(dir, without);
  assert.deepEqual([summary.files, summary.directories, summary.symlinks], [4, 5, 1]);
  assert.equal((await home.add(dir, without)).summary.unchanged, true);
});

test('a link that leads nowhere any more is as a deletion of what it led to', { skip: sample() }, async () => {
  writeMirror();
  await tick();
  await home.add(dir, copyLinks);
  cpSync(join(dir, 'dists/bookworm'), join(dir, 'spare'), { recursive: true });
  rmSync(join(dir, 'dists/bookworm'), { recursive: true });
  await assert.rejects(home.add(dir, { ...copyLinks, maxDelete: { entries: 8 } }), { code: 'MAX_DELETE' });
  const { summary } = await home.add(dir, copyLinks);
  assert.equal(summary.symlinks, 3);
  // It leads somewhere again.
  symlinkSync('../spare', join(dir, 'dists/bookworm'));
  await tick();
  assert.equal((await home.add(dir, copyLinks)).summary.symlinks, 1);
});
