/** What has the name of an index and is none holds nothing back, unless it was one before. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { GATE_KINDS, type GateSetting, type Verdict } from '../core/verdict.ts';
import { sampled } from '../testing/depth.ts';
import { type Content, judgedTree, type PlainTree } from '../testing/judged-tree.ts';
import { builders, versions } from '../testing/plain-mirrors.ts';
import { INDEX_NAMES } from './claims/index-files.ts';
import { packageGate } from './package-gate.ts';

const AUTO: GateSetting = { kinds: 'auto', action: 'hold', keyrings: [] };

async function judge(files: PlainTree, head?: PlainTree, setting = AUTO): Promise<Verdict> {
  return await packageGate(setting)(judgedTree(files, undefined, undefined, head), new AbortController().signal);
}

const told = ({ contradictions }: Verdict) => contradictions.map(({ what, path }) => `${what} ${path}`);
const tree = (files: Readonly<Record<string, string>>): Map<string, Content> =>
  new Map(Object.entries(files).map(([path, text]) => [path, Buffer.from(text)]));

/** Of each kind, what people have in their trees under the names of indexes. */
const MADE_UP = {
  debian: { 'dists/sid/Release': 'release', 'dists/sid/InRelease': 'Suite: sid\n', 'dists/old/main/binary-amd64/Packages': 'Package: x\n' },
  flat: { 'notes/Release': 'We release on Fridays: all of it\nand more', 'notes/Packages': 'none' },
  rpm: { 'repodata/repomd.xml': '<repomd/>', 'x/repodata/repomd.xml': 'text' },
  npm: { 'site/index.json': '{"name": "site", "pages": []}', 'index.json': '[1, 2]', 'a/package.json': '{"name": "a", "versions": {}}' },
  pypi: {
    'simple/docs/index.html': '<html><body><a href="intro.html">Intro</a> <a href="src.zip">all of it</a></body></html>',
    'simple/cut/index.html': 'text',
    'simple/json/index.json': '{"no": "files"}',
  },
} as const;

for (const [name, files] of Object.entries(MADE_UP)) {
  test(`${name}: what looks like an index and never was one is not recognised`, async () => {
    const verdict = await judge(tree(files));
    assert.deepEqual([told(verdict), verdict.kinds], [[], []]);
    assert.deepEqual(told(await judge(tree({ ...files, more: '1' }), tree(files))), []);
  });
}

test('an index that was one in the head and is none any more is a contradiction, and so is one that was replaced', async () => {
  for (const [kind, top] of [
    ['debian', 'dists/stable/InRelease'],
    ['rpm', 'r/repodata/repomd.xml'],
    ['npm', '@s/a/index.json'],
    ['pypi', 'simple/a/index.html'],
  ] as const) {
    const { files } = builders[kind]({ a: 1 }, new Map());
    for (const text of ['', 'something else', '{"name": "a"}']) {
      const torn = new Map(files).set(top, Buffer.from(text));
      const all = told(await judge(torn, files));
      // A page without links is a page of a project without files.
      assert.deepEqual(all, [`unreadable ${top}`], `${kind} ${text}`);
    }
  }
});

test('in an archive, a suite whose Release is cut off is a contradiction beside one that can be read, on the first look', async () => {
  const { files } = builders.debian({ a: 1 }, new Map());
  const both = new Map(files).set('dists/other/InRelease', Buffer.from('-----BEGIN PGP SIGNED MESSAGE-----\n\nSuite: o\n'));
  assert.deepEqual(told(await judge(both)), ['unreadable dists/other/InRelease']);
  both.delete('dists/other/InRelease');
  both.set('dists/other/main/binary-amd64/Packages', Buffer.from(''));
  assert.deepEqual(told(await judge(both)), ['missing dists/other/Release']);
});

test('an index that the Release names and that is half copied is a contradiction on the first look, by its size or hash', async () => {
  const { files } = builders.debian({ a: 1, d: 2 }, new Map());
  const path = 'dists/stable/main/binary-amd64/Packages.gz';
  const whole = files.get(path) as Buffer;
  const cut = (bytes: Buffer) => new Map(files).set(path, bytes);
  assert.deepEqual(told(await judge(cut(whole.subarray(0, 60)))), [`size ${path}`]);
  // As `rsync --inplace` leaves it: the new length, half of the old bytes.
  const inPlace = Buffer.concat([whole.subarray(0, 60), gzipSync('x'.repeat(whole.length))]).subarray(0, whole.length);
  assert.deepEqual(told(await judge(cut(Buffer.concat([inPlace, Buffer.alloc(whole.length - inPlace.length)])))), [`hash ${path}`]);
});

test('below dists and pool of an archive nothing else is an index, whether all is looked at or what has changed', async () => {
  const { files } = builders.debian({ a: 1 }, new Map());
  const torn = JSON.stringify({
    name: 'n',
    'dist-tags': {},
    versions: { 1: { dist: { tarball: 'https://r.example/n/-/n-1.tgz', shasum: '0'.repeat(40) } } },
  });
  for (const above of ['', 'debian/']) {
    const passed = new Map([...files].map(([path, content]) => [`${above}${path}`, content]));
    const has = async (path: string, before?: PlainTree) => {
      const now = new Map(passed).set(`${above}${path}`, Buffer.from(torn));
      return told(await packageGate(AUTO)(judgedTree(now, before), new AbortController().signal)).length;
    };
    for (const before of [undefined, passed]) {
      for (const path of ['pool/n/index.json', 'pool/a/b/n/index.json', 'dists/n/index.json'])
        assert.equal(await has(path, before), 0, path);
      assert.equal(await has('pool-x/n/index.json', before), 1);
    }
  }
});

test('a kind that is asked for by name has to be what it is called', async () => {
  assert.deepEqual(told(await judge(tree(MADE_UP.rpm), undefined, { ...AUTO, kinds: ['rpm'] })), [
    'unreadable repodata/repomd.xml',
    'unreadable x/repodata/repomd.xml',
  ]);
  assert.equal((await judge(tree(MADE_UP.debian), undefined, { ...AUTO, kinds: ['debian'] })).count, 3);
});

const isNamed = (path: string) => path.split('/').some((name) => INDEX_NAMES.has(name));

test('where no entry has a name of an index nothing is found, whatever changed; where an index is, one has such a name', async () => {
  const law = fc.asyncProperty(fc.constantFrom(...GATE_KINDS), versions, versions, fc.boolean(), async (kind, before, after, isLinked) => {
    const [old, young] = [builders[kind](before, new Map()).files, builders[kind](after, new Map()).files];
    const bare = (files: PlainTree) => new Map([...files].filter(([path]) => !isNamed(path)));
    // What symlinks lead to has no such name either.
    const files = bare(young).set('a/link', isLinked ? { to: '../pool' } : Buffer.from('x'));
    for (const passed of [undefined, bare(old), new Map(bare(old)).set('a/link', { to: '..' })]) {
      const { kinds, count, read } = await packageGate(AUTO)(judgedTree(files, passed), new AbortController().signal);
      assert.deepEqual({ kinds, count, indexes: read.indexes }, { kinds: [], count: 0, indexes: 0 });
    }
    if ((await judge(young)).kinds.length > 0) assert.ok([...young.keys()].some(isNamed));
  });
  await fc.assert(law, { numRuns: sampled(40, 400) });
});
