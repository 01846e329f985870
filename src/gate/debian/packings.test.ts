/** Of several packings of an index one is judged, and the others have to say the same: apt may take any of them. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { GateSetting, Verdict } from '../../core/verdict.ts';
import { type Content, judgedTree, type PlainTree } from '../../testing/judged-tree.ts';
import { made } from '../../testing/package-mirrors/files.ts';
import { packageGate } from '../package-gate.ts';

const AUTO: GateSetting = { kinds: 'auto', action: 'hold', keyrings: [] };
const AMD64 = 'dists/s/main/binary-amd64';
const DEB = Buffer.from('a package');
const GOOD = stanza('pool/p.deb');
const BAD = stanza('pool/gone.deb');

const pack: Readonly<Record<string, (text: Buffer) => Buffer>> = {
  '': (text) => text,
  '.gz': (text) => gzipSync(text),
  '.xz': (input) => made('xz', ['-c'], { input }),
};

function hexOf(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function stanza(path: string): string {
  return `Package: p\nFilename: ${path}\nSize: ${DEB.length}\nSHA256: ${hexOf(DEB)}\n`;
}

/** An archive whose index says this in each of its packings, all of which its `Release` rightly lists. */
function archive(texts: Readonly<Record<string, string>>, packages: readonly string[] = ['pool/p.deb']): Map<string, Content> {
  const files = new Map<string, Content>(packages.map((path) => [path, DEB]));
  let release = 'Suite: s\nSHA256:\n';
  for (const [end, text] of Object.entries(texts)) {
    const bytes = (pack[end] as (of: Buffer) => Buffer)(Buffer.from(text));
    files.set(`${AMD64}/Packages${end}`, bytes);
    release += ` ${hexOf(bytes)} ${bytes.length} main/binary-amd64/Packages${end}\n`;
  }
  return files.set('dists/s/Release', Buffer.from(release));
}

async function judge(files: PlainTree, before?: PlainTree, head?: PlainTree): Promise<Verdict & { readonly readBytes: number }> {
  const tree = judgedTree(files, before, undefined, head);
  const verdict = await packageGate(AUTO)(tree, new AbortController().signal);
  return { ...verdict, readBytes: tree.looks.bytes };
}

const sayingOf = ({ contradictions }: Verdict) => contradictions.map(({ what, path, index }) => `${what} ${path} ${index}`);
const sizeIn = (files: PlainTree, path: string) => (files.get(path) as Buffer).length;

test('packings that say the same agree; one that says something else is contradicted, whichever of them is judged', async () => {
  assert.deepEqual(sayingOf(await judge(archive({ '': GOOD, '.gz': GOOD, '.xz': GOOD }))), []);
  for (const [texts, other, judged] of [
    [{ '.gz': GOOD, '.xz': BAD }, '.xz', '.gz'],
    [{ '': GOOD, '.xz': BAD }, '.xz', ''],
    [{ '': '', '.gz': BAD }, '.gz', ''],
    [{ '': GOOD, '.gz': GOOD, '.xz': `${GOOD}\n${BAD}` }, '.xz', ''],
  ] as const)
    assert.deepEqual(sayingOf(await judge(archive(texts))), [`hash ${AMD64}/Packages${other} ${AMD64}/Packages${judged}`]);
});

test('one that cannot be unpacked is contradicted beside one that can, and a bomb is another text', async () => {
  const good = archive({ '.gz': GOOD });
  const beside = (bytes: Buffer) =>
    new Map(good)
      .set(`${AMD64}/Packages.xz`, bytes)
      .set(
        'dists/s/Release',
        Buffer.from(`${good.get('dists/s/Release')} ${hexOf(bytes)} ${bytes.length} main/binary-amd64/Packages.xz\n`),
      );
  assert.deepEqual(sayingOf(await judge(beside(Buffer.from('not packed')))), [`unreadable ${AMD64}/Packages.xz ${AMD64}/Packages.xz`]);
  const bomb = made('sh', ['-c', 'head -c 30000000 /dev/zero | xz -1 -c']);
  assert.deepEqual(sayingOf(await judge(beside(bomb))), [`hash ${AMD64}/Packages.xz ${AMD64}/Packages.gz`]);
});

test('of packings that have not changed one is read at most; of those that have, each once', async () => {
  const both = { '.gz': GOOD, '.xz': GOOD };
  const files = archive(both, ['pool/p.deb', 'pool/q.deb']);
  const [release, gz, xz] = [
    sizeIn(files, 'dists/s/Release'),
    sizeIn(files, `${AMD64}/Packages.gz`),
    sizeIn(files, `${AMD64}/Packages.xz`),
  ];
  assert.equal((await judge(new Map(files).set('README', DEB), files)).readBytes, release);
  const gone = new Map(files);
  gone.delete('pool/q.deb');
  const disturbed = await judge(gone, files);
  // A package that no index names went: the archive is looked through twice.
  assert.deepEqual([disturbed.count, disturbed.readBytes], [0, 2 * (release + gz)]);
  assert.equal((await judge(files)).readBytes, release + gz + xz);
  const text = `${GOOD}\n${stanza('pool/q.deb')}`;
  const next = archive({ '.gz': text, '.xz': text }, ['pool/p.deb', 'pool/q.deb']);
  const sizes = ['dists/s/Release', `${AMD64}/Packages.gz`, `${AMD64}/Packages.xz`].map((path) => sizeIn(next, path));
  assert.equal(
    (await judge(next, files)).readBytes,
    sizes.reduce((sum, size) => sum + size, 0),
  );
});

test('a packing that stays behind, or comes later with another text, is contradicted', async () => {
  const before = archive({ '.gz': GOOD, '.xz': GOOD }, ['pool/p.deb', 'pool/q.deb']);
  const stale = archive({ '.gz': `${GOOD}\n${stanza('pool/q.deb')}`, '.xz': GOOD }, ['pool/p.deb', 'pool/q.deb']);
  assert.deepEqual(sayingOf(await judge(stale, before)), [`hash ${AMD64}/Packages.xz ${AMD64}/Packages.gz`]);
  const added = archive({ '.gz': GOOD, '.xz': BAD });
  assert.deepEqual(sayingOf(await judge(added, archive({ '.gz': GOOD }))), [`hash ${AMD64}/Packages.xz ${AMD64}/Packages.gz`]);
});

test('what differs in the head in the same way is an old contradiction', async () => {
  const head = archive({ '.gz': GOOD, '.xz': BAD });
  const { count, asBefore } = await judge(new Map(head).set('README', DEB), undefined, head);
  assert.deepEqual([count, asBefore], [0, 1]);
});
