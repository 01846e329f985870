import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import type { Event } from '../../core/events.ts';
import { loadLibc } from '../../core/libc.ts';
import { DIRECTORY } from '../../core/model.ts';
import { Destination } from '../../restore/destination.ts';
import { sampled } from '../../testing/depth.ts';
import { OutDirectory } from '../out/out-directory.ts';
import { type Deletion, deletionsIn } from './deletions.ts';
import { LeftBehind } from './left-behind.ts';
import { refuseToReplace } from './make-way.ts';
import { type Moves, movesOf } from './moves.ts';
import { publish } from './publish.ts';

/** Paths with what they are: text of a file, `->` a symlink; directories follow from them. */
type Tree = Readonly<Record<string, string>>;

let dir: string;
before(() => {
  dir = mkdtempSync(join(tmpdir(), 'shardctl-publish-'));
});
after(() => rmSync(dir, { recursive: true, force: true }));

function write(root: string, tree: Tree): void {
  mkdirSync(root, { recursive: true });
  for (const [path, text] of Object.entries(tree)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    if (text.startsWith('->')) symlinkSync(text.slice(2), join(root, path));
    else writeFileSync(join(root, path), text);
  }
}

function read(root: string, below = ''): Tree {
  const found: Record<string, string> = {};
  for (const name of readdirSync(join(root, below))) {
    const path = below === '' ? name : `${below}/${name}`;
    if (path === '.shardctl-fetch') continue;
    const stat = lstatSync(join(root, path));
    if (stat.isDirectory()) Object.assign(found, read(root, path));
    else found[path] = stat.isSymbolicLink() ? `->${readlinkSync(join(root, path))}` : readFileSync(join(root, path), 'utf8');
  }
  return found;
}

class Stopped extends Error {}

/** Brings OUT from what it is to `to`; stops before the change of this number, as a kill does. @param seen is shown OUT before each change */
async function bring(out: string, to: Tree, stopAt: number, seen: () => void): Promise<void> {
  const staging = join(out, '.shardctl-fetch/new');
  mkdirSync(out, { recursive: true });
  const have = read(out);
  const lacking = Object.fromEntries(Object.entries(to).filter(([path, text]) => have[path] !== text));
  rmSync(staging, { recursive: true, force: true });
  write(staging, lacking);
  const directories = new Set(Object.keys(to).flatMap((path) => path.split('/').map((_, at, parts) => parts.slice(0, at).join('/'))));
  const isInTree = (path: string) => to[path] !== undefined || directories.has(path);
  const { deletions } = deletionsIn(out, isInTree, () => false);
  const moves = movesOf(staging, out, (path) => lacking[path] !== undefined, true);
  let step = 0;
  const signal = {
    throwIfAborted: () => {
      seen();
      if (step++ === stopAt) throw new Stopped();
    },
  } as AbortSignal;
  await publishInto(out, moves, deletions, signal);
  seen();
}

async function publishInto(out: string, moves: Moves, deletions: readonly Deletion[], signal: AbortSignal) {
  const libc = await loadLibc();
  const destination = new Destination({ libc, overwrite: true, specialBits: false, warn: () => {} });
  const directory = OutDirectory.open(out);
  const warnings: string[] = [];
  const changes: string[] = [];
  const emit = (event: Event) => {
    if (event.type === 'warning') warnings.push(directory.shown(event.message));
    if (event.type === 'change') changes.push(`${event.itemize.slice(0, 2)} ${event.path}`);
  };
  try {
    const behind = new LeftBehind(directory, emit);
    const [staging, aside] = [join(out, '.shardctl-fetch/new'), join(out, '.shardctl-fetch/old')];
    publish({ out: directory, libc, staging, aside, moves, deletions, destination, behind, emit, signal, itemize: true });
  } finally {
    directory.close();
  }
  return { warnings, changes };
}

/** What each index names: `names` in front of paths, from the root of the tree. */
function assertNoneMissing(out: string): void {
  for (const [path, text] of Object.entries(read(out))) {
    for (const named of text.startsWith('names ') ? text.slice(6).split(' ') : []) {
      const [at = '', content] = named.split('=');
      assert.ok(existsSync(join(out, at)), `${path} names ${at}, which is not there`);
      if (content !== undefined) assert.equal(readFileSync(join(out, at), 'utf8'), content, `${path} names ${at}`);
    }
  }
}

const REPOSITORIES: Readonly<Record<string, readonly [Tree, Tree]>> = {
  'Debian, with indexes by hash': [
    {
      'pool/a_1.deb': '1',
      'dists/s/by-hash/01': 'names pool/a_1.deb',
      'dists/s/Packages': 'names pool/a_1.deb',
      'dists/s/InRelease': 'names dists/s/by-hash/01',
    },
    {
      'pool/a_1.deb': '1',
      'pool/a_2.deb': '2',
      'pool/new/b_1.deb': 'b',
      'dists/s/by-hash/01': 'names pool/a_1.deb',
      'dists/s/by-hash/02': 'names pool/a_2.deb pool/new/b_1.deb',
      'dists/s/Packages': 'names pool/a_2.deb pool/new/b_1.deb',
      'dists/s/InRelease': 'names dists/s/by-hash/02',
      'dists/t/InRelease': 'names pool/new/b_1.deb',
    },
  ],
  RPM: [
    { 'Packages/a-1.rpm': '1', 'repodata/1-primary.xml': 'names Packages/a-1.rpm', 'repodata/repomd.xml': 'names repodata/1-primary.xml' },
    {
      'Packages/a-1.rpm': '1',
      'Packages/a-2.rpm': '2',
      'repodata/2-primary.xml': 'names Packages/a-2.rpm',
      'repodata/repomd.xml': 'names repodata/2-primary.xml',
    },
  ],
  npm: [
    { 'a/-/a-1.tgz': '1', 'a/index.json': 'names a/-/a-1.tgz' },
    {
      'a/-/a-1.tgz': '1',
      'a/-/a-2.tgz': '2',
      'a/index.json': 'names a/-/a-2.tgz',
      'b/-/b-1.tgz': 'b',
      'b/index.json': 'names b/-/b-1.tgz',
    },
  ],
  PyPI: [
    { 'packages/a-1.whl': '1', 'simple/a/index.html': 'names packages/a-1.whl' },
    {
      'packages/a-1.whl': '1',
      'packages/a-2.whl': '2',
      'simple/a/index.html': 'names packages/a-1.whl packages/a-2.whl',
      'simple/index.html': 'names simple/a',
    },
  ],
};

for (const [name, [first, second]] of Object.entries(REPOSITORIES)) {
  test(`${name}: at no moment, also after a kill at any of them, an index names a file that is not there`, async () => {
    for (let stopAt = 0; ; stopAt++) {
      const out = join(dir, `${name.replaceAll(/\W/g, '')}-${stopAt}`);
      const seen = () => assertNoneMissing(out);
      await bring(out, first, -1, seen);
      assert.deepEqual(read(out), first);
      const isStopped = await bring(out, second, stopAt, seen).then(
        () => false,
        (error: unknown) => error instanceof Stopped || Promise.reject(error),
      );
      await bring(out, second, -1, seen);
      assert.deepEqual(read(out), second);
      if (!isStopped) break;
    }
  });
}

const word = fc.constantFrom('a', 'b', 'dists', 'InRelease', 'c');
const tree: fc.Arbitrary<Tree> = fc
  .array(fc.tuple(fc.array(word, { minLength: 1, maxLength: 3 }), fc.constantFrom('one', 'two', '->x')), { maxLength: 8 })
  .map((entries) => {
    const made: Record<string, string> = {};
    for (const [parts, text] of entries) {
      const path = parts.join('/');
      const isBlocked = Object.keys(made).some((other) => other === path || other.startsWith(`${path}/`) || path.startsWith(`${other}/`));
      if (!isBlocked) made[path] = text;
    }
    return made;
  });

test('whatever OUT was, and wherever a run was killed, the next run makes it the tree', async () => {
  let at = 0;
  await fc.assert(
    fc.asyncProperty(tree, tree, fc.nat(12), async (before, to, stopAt) => {
      const out = join(dir, `law-${at++}`);
      write(out, before);
      await bring(out, to, stopAt, () => {}).catch((error: unknown) => {
        if (!(error instanceof Stopped)) throw error;
      });
      await bring(out, to, -1, () => {});
      assert.deepEqual(read(out), to);
      rmSync(out, { recursive: true });
    }),
    { numRuns: sampled(60, 2000) },
  );
});

test('what is left of an interrupted run and is not wanted any more does not come into OUT', async () => {
  const [out, staging] = [join(dir, 'left'), join(dir, 'left/.shardctl-fetch/new')];
  write(staging, { wanted: 'x', 'old/one': 'y', 'old/two': 'z' });
  const { inOrder } = movesOf(staging, out, (path) => path === 'wanted' || path === 'old/two', true);
  assert.deepEqual(inOrder.map(({ path }) => path).sort(), ['old', 'wanted']);
  assert.deepEqual(readdirSync(join(staging, 'old')), ['two']);
});

test('a directory that fewer may look into is closed to the others before anything comes into it', async () => {
  const out = join(dir, 'narrow');
  write(out, { 'd/public': 'x', 'e/public': 'x', z: 'before' });
  const staging = join(out, '.shardctl-fetch/new');
  write(staging, { 'd/secret': 'y', 'e/more': 'y', z: 'after' });
  for (const [at, mode] of Object.entries({ d: 0o755, e: 0o700 })) chmodSync(join(out, at), mode);
  for (const [at, mode] of Object.entries({ d: 0o500, e: 0o755 })) chmodSync(join(staging, at), mode);
  const modeOf = (at: string) => lstatSync(join(out, at)).mode & 0o777;
  const seen: string[] = [];
  const signal = {
    throwIfAborted: () => seen.push(`${existsSync(join(out, 'd/secret'))} ${modeOf('d').toString(8)} ${modeOf('e').toString(8)}`),
  } as unknown as AbortSignal;
  await publishInto(
    out,
    movesOf(staging, out, () => true, true),
    [],
    signal,
  );
  assert.deepEqual([...new Set(seen)].sort(), ['false 700 700', 'true 700 700']);
  assert.deepEqual([modeOf('d'), modeOf('e')], [0o500, 0o755]);
});

test('of a new directory, all that comes with it is told, too', async () => {
  const out = join(dir, 'itemized');
  const staging = join(out, '.shardctl-fetch/new');
  write(staging, { 'new/deep/a': 'x', 'new/b': '->x', c: 'y' });
  const moves = movesOf(staging, out, () => true, true);
  const { changes } = await publishInto(out, moves, [], new AbortController().signal);
  assert.deepEqual(changes.toSorted(), ['>f c', '>f new/deep/a', 'cL new/b', 'cd new', 'cd new/deep']);
});

/** A mount needs root, and a kernel that lets it. */
const isMounting = (() => {
  const at = mkdtempSync(join(tmpdir(), 'shardctl-mounting-'));
  const isMounted = process.getuid?.() === 0 && spawnSync('mount', ['-t', 'tmpfs', 'none', at]).status === 0;
  if (isMounted) execFileSync('umount', [at]);
  rmSync(at, { recursive: true });
  return isMounted;
})();

test('what cannot be deleted, and other file systems in OUT, stop neither this run nor the next', {
  skip: isMounting ? false : 'cannot mount here',
}, async () => {
  const out = join(dir, 'mounted');
  write(out, { 'gone/a': 'x', 'disk/mnt/a': 'x', 'disk/b': 'y' });
  const stuck = join(out, '.shardctl-fetch/old/0/stuck');
  mkdirSync(stuck, { recursive: true });
  writeFileSync(join(out, '.shardctl-fetch/old/other'), 'is deleted');
  const mounts = [stuck, join(out, 'disk/mnt')];
  for (const at of mounts) {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'none', at]);
    writeFileSync(join(at, 'data'), 'of somebody');
  }
  try {
    const { deletions, mounted } = deletionsIn(
      out,
      () => false,
      () => false,
    );
    assert.deepEqual(mounted, ['disk/mnt']);
    assert.deepEqual(deletions.map(({ path }) => path).sort(), ['disk/b', 'gone']);
    const moves = movesOf(join(out, '.shardctl-fetch/new'), out, () => true, true);
    const all = [...deletions, { path: 'disk/mnt', kind: DIRECTORY } as const];
    const { warnings } = await publishInto(out, moves, all, new AbortController().signal);
    assert.match(warnings.join('\n'), /"disk\/mnt" is a mount point.*\n.*\.shardctl-fetch\/old.*EBUSY/);
    assert.deepEqual(readdirSync(join(out, '.shardctl-fetch/old')), ['0']);
    for (const at of mounts) assert.equal(readFileSync(join(at, 'data'), 'utf8'), 'of somebody');
    const staging = join(out, '.shardctl-fetch/new');
    write(staging, { 'disk/mnt/new': 'z' });
    assert.throws(() => movesOf(staging, out, () => true, true), { code: 'NOT_WRITTEN', message: /"disk\/mnt" is another file system/ });
    rmSync(staging, { recursive: true });
    write(staging, { disk: 'a file' });
    const { inOrder } = movesOf(staging, out, () => true, true);
    assert.throws(() => refuseToReplace(out, inOrder, () => true, ''), { code: 'NOT_WRITTEN', hint: /unmount "disk\/mnt"/ });
  } finally {
    for (const at of mounts) execFileSync('umount', [at]);
  }
});
