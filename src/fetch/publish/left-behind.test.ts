/** One entry that cannot be written costs the copy that entry and, while it is so, new package indexes; and nothing else. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { type BlockId, DAG_PB } from '../../core/model.ts';
import { mountsIn } from '../../core/mounts.ts';
import { toBytes } from '../../core/path-bytes.ts';
import { profileOf } from '../../dag/cid-profile.ts';
import { readEntry } from '../../read/tree/tree.ts';
import { ForeignCar } from '../../testing/foreign-car.ts';
import { MemoryBlocks } from '../../testing/memory-blocks.ts';
import { fetchTree } from '../fetch.ts';
import { KnownEntries } from '../known/known-entries.ts';
import { OutMounts } from '../out/mounts.ts';
import { OutDirectory } from '../out/out-directory.ts';
import { OutLooks } from '../out/out-looks.ts';
import { refuseMounted } from './mounts-ahead.ts';

type Tree = Readonly<Record<string, string>>;

let dir: string;
const blocks = new MemoryBlocks();
before(() => {
  dir = mkdtempSync(join(tmpdir(), 'shardctl-behind-'));
});
after(() => rmSync(dir, { recursive: true, force: true }));

const chattr = (flag: '+i' | '-i', path: string) => spawnSync('chattr', [flag, path]).status === 0;
const canFreeze = (() => {
  const at = join(mkdtempSync(join(tmpdir(), 'shardctl-frozen-')), 'file');
  writeFileSync(at, '');
  const isFrozen = process.getuid?.() === 0 && chattr('+i', at);
  if (isFrozen) chattr('-i', at);
  rmSync(dirname(at), { recursive: true });
  return isFrozen;
})();

let trees = 0;
async function rootOf(tree: Tree): Promise<BlockId> {
  const root = join(dir, `tree-${trees++}`);
  for (const [path, text] of Object.entries(tree)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return await blocks.importTree(root);
}

async function bring(name: string, root: BlockId, dryRun = false) {
  const out = OutDirectory.open(join(dir, name));
  const named: string[] = [];
  try {
    const done = await fetchTree({
      ...{ root, path: '', out, blocks, shards: undefined, totals: undefined, maxDelete: undefined, excludes: undefined, filters: 'none' },
      ...{ deletes: true, dryRun, itemize: dryRun, specialBits: false, isOwn: true },
      local: { profile: profileOf('unixfs-v1-2025'), metadata: true },
      emit: (event) => {
        if (event.type !== 'not-restored') return;
        named.push(event.path.slice(dir.length + 1));
        assert.doesNotMatch(event.detail ?? '', /\//, 'the reason has no path: the one that the system was given is no help to anybody');
      },
      signal: new AbortController().signal,
    });
    return { ...done, named };
  } finally {
    out.close();
  }
}

const OLD: Tree = {
  'pool/a': 'old a',
  'pool/b': 'old b',
  'pool/gone': 'x',
  'dists/s/Packages': 'old',
  'dists/s/Release': 'old',
  other: 'old',
};
const NEW: Tree = {
  'pool/a': 'new a',
  'pool/b': 'new b',
  'pool/c': 'new',
  'dists/s/Packages': 'new',
  'dists/s/Release': 'new',
  other: 'old',
};

for (const frozen of ['pool/a', 'dists/s/Release']) {
  test(`an immutable ${frozen} is left behind: plain files come, and indexes and deletions when it can be written`, {
    skip: canFreeze ? false : 'no file can be made immutable here',
  }, async () => {
    const name = `frozen-${frozen.replaceAll('/', '-')}`;
    const textOf = (path: string) => (existsSync(join(dir, name, path)) ? readFileSync(join(dir, name, path), 'utf8') : undefined);
    const [old, next] = [await rootOf(OLD), await rootOf(NEW)];
    assert.equal((await bring(name, old)).failure, undefined);
    chattr('+i', join(dir, name, frozen));
    try {
      for (let run = 0; run < 2; run++) {
        const { summary, failure, named } = await bring(name, next);
        assert.equal(failure?.code, 'NOT_WRITTEN');
        assert.deepEqual(named, [`${name}/${frozen}`]);
        assert.deepEqual([summary.unwritable, summary.deleted], [1, 0]);
        for (const path of ['pool/gone', 'dists/s/Packages', 'dists/s/Release']) assert.equal(textOf(path), OLD[path]);
        assert.equal(textOf('pool/b'), 'new b');
        assert.equal(textOf('pool/c'), 'new');
        assert.equal(summary.changed, run === 0 ? (frozen === 'pool/a' ? 3 : 4) : 0);
      }
    } finally {
      chattr('-i', join(dir, name, frozen));
    }
    const { summary, failure } = await bring(name, next);
    assert.deepEqual([failure, summary.unwritable, summary.deleted], [undefined, 0, 1]);
    for (const path of Object.keys({ ...OLD, ...NEW })) assert.equal(textOf(path), NEW[path], path);
    assert.ok(!existsSync(join(dir, name, '.shardctl-fetch/new')));
  });
}

test('where no index changes, what is gone is deleted although something is left behind', {
  skip: canFreeze ? false : 'no file can be made immutable here',
}, async () => {
  const [old, next] = [await rootOf({ a: 'old', gone: 'x' }), await rootOf({ a: 'new' })];
  await bring('plain', old);
  chattr('+i', join(dir, 'plain/a'));
  try {
    const { summary } = await bring('plain', next);
    assert.deepEqual([summary.unwritable, summary.deleted], [1, 1]);
    assert.ok(!existsSync(join(dir, 'plain/gone')));
  } finally {
    chattr('-i', join(dir, 'plain/a'));
  }
});

test('a name that is too long for the file system is left behind by each run, and the rest comes', async () => {
  const car = new ForeignCar();
  const inner = car.directory({ ['y'.repeat(1000)]: car.raw('deep'), short: car.raw('too') });
  const { multihash } = car.directory({ ['x'.repeat(1000)]: car.raw('x'), directory: inner, file: car.raw('z') });
  for (const { bytes } of car.blocks) blocks.put(bytes);
  const root: BlockId = { codec: DAG_PB, digest: multihash.digest };
  for (let run = 0; run < 3; run++) {
    const { summary, failure, named } = await bring('long-names', root, run === 2);
    assert.equal(failure?.code, run === 2 ? undefined : 'NOT_WRITTEN');
    assert.deepEqual([summary.unwritable, named.length], run === 2 ? [0, 0] : [2, 2]);
    assert.equal(readFileSync(join(dir, 'long-names/directory/short'), 'utf8'), 'too');
    assert.equal(readFileSync(join(dir, 'long-names/file'), 'utf8'), 'z');
  }
});

test('what would come into a mounted directory is refused before anything is read but directories', async () => {
  const out = join(dir, 'mounted');
  const root = await rootOf({ 'disk/new': 'x', 'disk/old': 'y', file: 'z' });
  const top = await readEntry(root, blocks);
  mkdirSync(join(out, 'disk'), { recursive: true });
  writeFileSync(join(out, 'disk/old'), 'y');
  const mounts = new OutMounts(toBytes(out), mountsIn(`1 1 0:1 / ${out}/disk rw - tmpfs none rw`));
  const looks = new OutLooks(toBytes(out));
  const ask = (excluded?: string) =>
    refuseMounted(
      top,
      {
        out: toBytes(out),
        known: new KnownEntries(),
        looks,
        blocks,
        excludes: excluded === undefined ? undefined : (path) => path === excluded,
      },
      mounts,
    );
  try {
    await assert.rejects(ask(), { code: 'NOT_WRITTEN', message: /"disk" is another file system/ });
    await ask('disk');
    await ask('disk/new');
    writeFileSync(join(out, 'disk/new'), 'x');
    await ask();
  } finally {
    looks.close();
  }
});
