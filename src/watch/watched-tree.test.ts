import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { linuxCalls, loadLibc } from '../core/libc.ts';
import { openSource } from '../source/source.ts';
import { sampled } from '../testing/depth.ts';
import { edit, edits, which } from '../testing/edited-tree.ts';
import { entriesOf, missed, Watched, withoutInotify } from '../testing/watched.ts';
import { compileFilter } from '../update/scan/filter.ts';
import { Changes } from './changes.ts';
import { IN } from './inotify.ts';
import { WatchedTree } from './watched-tree.ts';

const dir = existsSync('/dev/shm') ? mkdtempSync('/dev/shm/shardctl-watch-') : mkdtempSync(join(tmpdir(), 'shardctl-watch-'));
after(() => rmSync(dir, { recursive: true, force: true }));

const step = fc.oneof(
  { weight: 3, arbitrary: edits },
  { weight: 2, arbitrary: fc.tuple(fc.constantFrom('take', 'take', 'watch', 'settle', 'settle by turns', 'update', 'overflow'), which) },
);
let round = 0;
function newRoot(): string {
  const root = join(dir, `${round++}`);
  mkdirSync(root);
  return root;
}

test('whatever happens, in whatever order with the events, every directory is watched and every change is told', {
  skip: withoutInotify,
}, () => {
  const law = fc.property(fc.array(edits, { maxLength: 20 }), fc.array(step, { minLength: 1, maxLength: 60 }), (first, then) => {
    const [root, outside] = [newRoot(), newRoot()];
    for (const it of first) edit(root, outside, it);
    let watched = new Watched(root);
    try {
      watched.settle();
      let before = entriesOf(root);
      watched.changes = new Changes();
      const look = () => {
        watched.settle();
        const now = entriesOf(root);
        assert.deepEqual(missed(before, now, watched.told()), []);
        const directories = [...now].flatMap(([path, stat]) => (stat.isDirectory() ? [path] : []));
        assert.deepEqual([...watched.tree.paths()].sort(), ['', ...directories].sort());
        assert.equal(watched.tree.doubt, undefined);
        before = now;
        watched.changes = new Changes();
      };
      for (const it of then) {
        if (it[0] === 'take') watched.takeOne();
        else if (it[0] === 'settle by turns') watched.settleByTurns();
        else if (it[0] === 'watch') watched.watchOne();
        else if (it[0] === 'settle') watched.settle();
        else if (it[0] === 'update') look();
        else if (it[0] === 'overflow') {
          watched.overflow();
          watched.settle();
          assert.equal(watched.tree.doubt, 'overflow', 'nothing that it tells from then on makes up for what was lost');
          watched.close();
          // As the watch does: all is watched anew, and looked at as a whole.
          watched = new Watched(root);
          watched.settle();
          before = entriesOf(root);
          watched.changes = new Changes();
        } else edit(root, outside, it);
      }
      look();
    } finally {
      watched.close();
      for (const it of [root, outside]) rmSync(it, { recursive: true });
    }
  });
  fc.assert(law, { numRuns: sampled(300, 3000) });
});

test('a directory that is met where it has moved to before the event says so is watched there', { skip: withoutInotify }, () => {
  const watched = new Watched(newRoot());
  const { root } = watched;
  mkdirSync(join(root, 'x/y'), { recursive: true });
  watched.settle();
  mkdirSync(join(root, 'new'));
  watched.takeOne();
  renameSync(join(root, 'x'), join(root, 'new/x'));
  while (!watched.tree.isComplete) watched.watchOne();
  writeFileSync(join(root, 'new/x/y/z'), '');
  watched.settle();
  assert.deepEqual([...watched.tree.paths()].sort(), ['', 'new', 'new/x', 'new/x/y']);
  assert.deepEqual([watched.tree.isTwofold, watched.tree.doubt], [false, undefined]);
  watched.close();
});

test('a directory that has taken the place of another one is watched in its stead, although that is not known to be gone', {
  skip: withoutInotify,
}, () => {
  const root = newRoot();
  for (const name of ['old/in', 'next/other']) mkdirSync(join(root, name), { recursive: true });
  const watched = new Watched(root);
  watched.settle();
  const outside = newRoot();
  renameSync(join(root, 'old'), join(outside, 'old'));
  renameSync(join(root, 'next'), join(root, 'old'));
  for (const event of watched.inotify.read()) if ((event.mask & IN.movedTo) !== 0) watched.tree.take(event);
  while (!watched.tree.isComplete) watched.watchOne();
  assert.deepEqual([...watched.tree.paths()].sort(), ['', 'old', 'old/other']);
  watched.close();
});

test('a directory that is moved onto an empty one is watched there', { skip: withoutInotify }, () => {
  const watched = new Watched(newRoot());
  const { root } = watched;
  for (const name of ['new/in', 'old']) mkdirSync(join(root, name), { recursive: true });
  watched.settle();
  renameSync(join(root, 'new'), join(root, 'old'));
  watched.settle();
  assert.deepEqual([...watched.tree.paths()].sort(), ['', 'old', 'old/in']);
  watched.close();
});

test('directories that take the place of each other in one step are watched, and told as a whole', { skip: withoutInotify }, async (t) => {
  const exchange = (await loadLibc())?.exchange;
  if (exchange === undefined) return t.skip('there is no renameat2 here');
  for (const settle of ['settle', 'settleByTurns'] as const) {
    const watched = new Watched(newRoot());
    const { root } = watched;
    for (const name of ['one/in', 'two/out']) mkdirSync(join(root, name), { recursive: true });
    writeFileSync(join(root, 'file'), '');
    watched.settle();
    for (const [a, b] of [
      ['one', 'two'],
      ['one/out', 'file'],
    ] as const) {
      watched.changes = new Changes();
      assert.equal(exchange(Buffer.from(join(root, a)), Buffer.from(join(root, b))), 0);
      watched[settle]();
      assert.deepEqual(watched.told().sort(), a === 'one' ? ['one/', 'two/'] : ['file/', 'one/out/']);
    }
    assert.deepEqual([...watched.tree.paths()].sort(), ['', 'file', 'one', 'two', 'two/in']);
    watched.close();
  }
});

test('what is excluded is neither watched nor told, and symlinks are not followed', { skip: withoutInotify }, () => {
  const root = newRoot();
  for (const name of ['in', 'out/deep']) mkdirSync(join(root, name), { recursive: true });
  const watched = new Watched(root, ['- /out/', '- *.tmp']);
  watched.settle();
  assert.deepEqual([...watched.tree.paths()].sort(), ['', 'in']);
  writeFileSync(join(root, 'out/deep/x'), '');
  writeFileSync(join(root, 'in/x.tmp'), '');
  watched.settle();
  assert.equal(watched.changes.isEmpty, true);
  writeFileSync(join(root, 'in/out'), '');
  watched.settle();
  assert.deepEqual(watched.told(), ['in/out']);
  watched.close();
});

test('the mode of the root is told without a name', { skip: withoutInotify }, () => {
  const watched = new Watched(newRoot());
  watched.settle();
  chmodSync(watched.root, 0o701);
  watched.settle();
  assert.deepEqual([watched.changes.isEmpty, watched.told()], [false, []]);
  watched.close();
});

test('an overflow, an event of nobody knows what, a source that moves or is replaced: the tree is in doubt', {
  skip: withoutInotify,
}, () => {
  const doubtAfter = (what: (watched: Watched) => void) => {
    const watched = new Watched(newRoot());
    watched.settle();
    what(watched);
    watched.settle();
    watched.close();
    return watched.tree.doubt;
  };
  assert.equal(
    doubtAfter(({ tree }) => tree.take({ watch: -1, mask: IN.overflow, name: '' })),
    'overflow',
  );
  assert.equal(
    doubtAfter(({ tree }) => tree.take({ watch: 4711, mask: IN.create, name: 'x' })),
    'unknown directory',
  );
  assert.equal(
    doubtAfter(({ root }) => renameSync(root, `${root}-moved`)),
    'source moved',
  );
  assert.equal(
    doubtAfter(({ root }) => rmSync(root, { recursive: true })),
    'source moved',
  );
  assert.equal(
    doubtAfter(({ root }) => writeFileSync(join(dirname(root), 'beside'), '')),
    undefined,
  );
});

test('a symlink that leads to another source from now on puts the tree in doubt', { skip: withoutInotify }, () => {
  const [one, other] = [newRoot(), newRoot()];
  const link = join(dir, 'current');
  const lead = (to: string) => {
    rmSync(`${link}.new`, { force: true });
    symlinkSync(to, `${link}.new`);
    renameSync(`${link}.new`, link);
  };
  lead(one);
  const watched = new Watched(link);
  watched.settle();
  lead(other);
  watched.settle();
  assert.equal(watched.tree.doubt, 'source moved');
  watched.close();
});

test('whatever is moved or led elsewhere on the way to the source puts the tree in doubt, and nothing else there does', {
  skip: withoutInotify,
}, () => {
  let round = 0;
  /** `upper/link/deb`, where `link` leads by another symlink to a directory two levels deep. */
  const way = () => {
    const at = join(dir, `way-${round++}`);
    for (const path of ['upper', 'real/store/deb', 'real/other/deb']) mkdirSync(join(at, path), { recursive: true });
    symlinkSync('../again', join(at, 'upper/link'));
    symlinkSync('real/store', join(at, 'again'));
    return at;
  };
  const doubtAfter = (what: (at: string) => void) => {
    const at = way();
    const watched = new Watched(join(at, 'upper/link/deb'));
    watched.settle();
    what(at);
    watched.settle();
    watched.close();
    return watched.tree.doubt;
  };
  const switched = (link: string, to: string) => (at: string) => {
    symlinkSync(to, join(at, 'new'));
    renameSync(join(at, 'new'), join(at, link));
  };
  const moved = (path: string) => (at: string) => renameSync(join(at, path), join(at, `${path}.gone`));
  for (const what of [
    switched('upper/link', '../real/other'),
    switched('again', 'real/other'),
    moved('real/store'),
    moved('real'),
    moved('upper'),
  ])
    assert.equal(doubtAfter(what), 'source moved', String(what));
  for (const beside of ['upper/x', 'x', 'real/x', 'real/store/x'])
    assert.equal(
      doubtAfter((at) => writeFileSync(join(at, beside), '')),
      undefined,
      beside,
    );
});

test('a source that is reached through a directory in itself is watched, and what moves of the way is noticed', {
  skip: withoutInotify,
}, () => {
  const root = newRoot();
  mkdirSync(join(root, 'in'), { recursive: true });
  symlinkSync('..', join(root, 'in/up'));
  const watched = new Watched(join(root, 'in/up'));
  watched.settle();
  writeFileSync(join(root, 'in/new'), '');
  watched.settle();
  assert.equal(watched.tree.doubt, undefined);
  assert.ok(watched.told().includes('in/new'), watched.told().join());
  rmSync(join(root, 'in/up'));
  watched.settle();
  assert.equal(watched.tree.doubt, 'source moved');
  watched.close();
});

test('what the system does not allow to be watched puts the tree in doubt', () => {
  const tree = new WatchedTree({
    filter: compileFilter([]),
    watches: { add: () => -28, remove: () => {} },
    places: [{ directory: dir, name: 'x' }],
    changes: () => new Changes(),
    onCame: () => {},
  });
  const source = openSource(newRoot(), linuxCalls());
  tree.watchNext(source.reach);
  assert.equal(tree.doubt, 'limit');
  source.close();
});
