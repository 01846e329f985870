/** What the judge of Debian archives lets pass, and what it does not; every tree may be a stranger's. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { GateSetting, Verdict } from '../../core/verdict.ts';
import { type Content, judgedTree, type PlainTree, type TreeOptions } from '../../testing/judged-tree.ts';
import { made } from '../../testing/package-mirrors/files.ts';
import { Signer } from '../../testing/package-mirrors/signer.ts';
import { packageGate } from '../package-gate.ts';

const AUTO: GateSetting = { kinds: 'auto', action: 'hold', keyrings: [] };
const DEB = Buffer.from('a package');
const AMD64 = 'main/binary-amd64/Packages';

async function judge(files: PlainTree, before?: PlainTree, options?: TreeOptions, setting = AUTO): Promise<Verdict> {
  return await packageGate(setting)(judgedTree(files, before, options), new AbortController().signal);
}

async function found(files: PlainTree, before?: PlainTree, options?: TreeOptions): Promise<readonly string[]> {
  return (await judge(files, before, options)).contradictions.map(({ what, path }) => `${what} ${path}`);
}

function hexOf(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function stanza(path: string, bytes = DEB): string {
  return `Package: p\nFilename: ${path}\nSize: ${bytes.length}\nSHA256: ${hexOf(bytes)}\n`;
}

function release(indexes: Readonly<Record<string, Buffer>>): string {
  const lines = Object.entries(indexes).map(([path, bytes]) => ` ${hexOf(bytes)} ${bytes.length} ${path}\n`);
  return `Suite: s\nSHA256:\n${lines.join('')}`;
}

/** One package, named by one index. @param packed what `Packages` has in it, and how it is packed */
function archive(packages = stanza('pool/p.deb'), packing = '', pack: (text: Buffer) => Buffer = (text) => text): Map<string, Content> {
  const index = { [`${AMD64}${packing}`]: pack(Buffer.from(packages)) };
  const files = new Map<string, Content>([['pool/p.deb', DEB]]);
  for (const [path, bytes] of Object.entries(index)) files.set(`dists/s/${path}`, bytes);
  return files.set('dists/s/Release', Buffer.from(release(index)));
}

test('of a path of megabytes its beginning is told, and it is kept nowhere', async () => {
  const long = `pool/${'a'.repeat(2_000_000)}`;
  for (const named of [long, `../${long}`]) {
    const { contradictions: all } = await judge(archive(stanza(named)));
    assert.deepEqual(
      all.map(({ what, path, detail }) => [what, path.length, detail]),
      [['missing', 4096, 'has a longer path than any file']],
    );
  }
});

test('what a Release says of itself and of its signature is what was there before: nobody looks at it', async () => {
  const text = Buffer.from(stanza('pool/p.deb'));
  const names = ['Release', 'InRelease', 'Release.gpg', './Release', 'main/../InRelease'];
  const old = { [AMD64]: text, ...Object.fromEntries(names.map((name) => [name, Buffer.from('old')])) };
  const files = archive()
    .set('dists/s/Release', Buffer.from(release(old)))
    .set('dists/s/Release.gpg', Buffer.from('new'));
  assert.deepEqual(await found(files), []);
  // Another directory's Release is an index as any other is.
  const below = { [AMD64]: text, 'main/binary-amd64/Release': Buffer.from('old') };
  const torn = archive()
    .set('dists/s/Release', Buffer.from(release(below)))
    .set('dists/s/main/binary-amd64/Release', Buffer.from('new!'));
  assert.deepEqual(await found(torn), ['size dists/s/main/binary-amd64/Release']);
});

test('a second section of the same hash adds to the first, and hides nothing of it', async () => {
  const files = archive(stanza('pool/other.deb'));
  const twice = `${files.get('dists/s/Release')}SHA256:\n ${hexOf(DEB)} 1 Release\n`;
  assert.deepEqual(await found(new Map(files).set('dists/s/Release', Buffer.from(twice))), ['missing pool/other.deb']);
});

test('an index that is nowhere with its whole directory is left out; one of other packings is enough; a lone missing one is not', async () => {
  const text = Buffer.from(stanza('pool/p.deb'));
  const packed = made('xz', ['-c'], { input: text });
  const all = { [AMD64]: text, [`${AMD64}.xz`]: packed, 'main/binary-arm64/Packages': text, 'main/binary-amd64/Release': text };
  const files = new Map<string, Content>([
    ['pool/p.deb', DEB],
    ['dists/s/Release', Buffer.from(release(all))],
    [`dists/s/${AMD64}.xz`, packed],
    ['dists/s/main/binary-amd64/Release', text],
  ]);
  assert.deepEqual(await found(files), []);
  files.delete(`dists/s/${AMD64}.xz`);
  assert.deepEqual(await found(files), [`missing dists/s/${AMD64}`]);
});

test('what xz and zstd pack is read, and what they cannot unpack is unreadable', async () => {
  for (const [packing, command] of [
    ['.xz', 'xz'],
    ['.zst', 'zstd'],
  ] as const) {
    const pack = (input: Buffer) => made(command, ['-c'], { input });
    assert.deepEqual(await found(archive(undefined, packing, pack)), []);
    assert.deepEqual(await found(archive(stanza('pool/other.deb'), packing, pack)), ['missing pool/other.deb']);
    // In two pieces, as pzstd and `xz --block-size` write them, and as `cat` joins them.
    const inTwo = (text: Buffer) => Buffer.concat([pack(text.subarray(0, 20)), pack(text.subarray(20))]);
    assert.deepEqual(await found(archive(stanza('pool/other.deb'), packing, inTwo)), ['missing pool/other.deb']);
    for (const length of [40, -2]) {
      const cut = await found(archive(undefined, packing, (text) => pack(text).subarray(0, length)));
      assert.deepEqual(cut, [`unreadable dists/s/${AMD64}${packing}`]);
    }
  }
});

test('a bomb ends as soon as it is longer than any paragraph', async () => {
  const bomb = made('sh', ['-c', 'head -c 30000000 /dev/zero | xz -1 -c']);
  assert.deepEqual(await found(archive('', '.xz', () => bomb)), [`unreadable dists/s/${AMD64}.xz`]);
});

test('no name leads out of the tree', async () => {
  for (const path of ['../p.deb', '/etc/passwd', 'pool/../../p.deb', 'pool/p\0.deb', 'pool/../..'])
    assert.deepEqual(await found(archive(stanza(path))), [`missing ${path}`]);
  assert.deepEqual(await found(archive(stanza('./pool//x/../p.deb'))), []);
  const outside = new Map<string, Content>([['dists/s/Release', Buffer.from(release({ '../../../x': DEB }))]]);
  assert.deepEqual(await found(outside), ['missing ../../../x']);
});

test('an archive that says that it is being written is', async () => {
  const files = archive().set('Archive-Update-in-Progress-m.example', Buffer.from(''));
  assert.deepEqual(await found(files), ['in-progress Archive-Update-in-Progress-m.example']);
});

test('a Release that is younger than every trace came with a run that has not ended; a trace of long ago says nothing', async () => {
  const files = archive().set('project/trace/m.example', Buffer.from('then'));
  const at = (trace: bigint) => ({
    mtimeNs: new Map([
      ['dists/s/Release', 1_000_000n * 10n ** 9n],
      ['project/trace/m.example', trace * 10n ** 9n],
    ]),
  });
  assert.deepEqual(await found(files, undefined, at(1_000_001n)), []);
  assert.deepEqual(await found(files, undefined, at(999_999n)), ['stale-trace dists/s/Release']);
  assert.deepEqual(await found(files, undefined, at(1n)), []);
});

test('a package that went, and to which a symlink leads, is missed although no index and no symlink has changed', async () => {
  const files = archive(stanza('pool/link.deb')).set('pool/link.deb', { to: '../store/x.deb' }).set('store/x.deb', DEB);
  files.delete('pool/p.deb');
  assert.deepEqual(await found(files), []);
  const after = new Map(files);
  after.delete('store/x.deb');
  assert.deepEqual(await found(after, files), ['missing pool/link.deb']);
});

test('nothing is read when nothing has changed, and no pool file when only another index has', async () => {
  const files = archive();
  const same = judgedTree(files, files);
  await packageGate(AUTO)(same, new AbortController().signal);
  assert.equal(same.looks.entries, 0);
  const other = new Map(files).set('README', DEB);
  const { read } = await judge(other, files, { leafBytes: 1 });
  assert.equal(read.hashedBytes, 0);
});

test('a file of several leaves is hashed when it is new or claimed anew, and not again', async () => {
  const leaves = { leafBytes: 4 };
  const files = archive();
  const first = await judge(files, undefined, leaves);
  assert.ok(first.read.hashedBytes > DEB.length);
  const added = archive(`${stanza('pool/p.deb')}\n${stanza('pool/q.deb')}`).set('pool/q.deb', DEB);
  assert.equal((await judge(added, files, leaves)).count, 0);
  const lie = archive(stanza('pool/p.deb', Buffer.from('A PACKAGE')));
  const verdict = await judge(lie, files, leaves);
  assert.deepEqual(
    verdict.contradictions.map(({ what, path }) => `${what} ${path}`),
    ['hash pool/p.deb'],
  );
});

test('a flat archive is judged from the directory that its paths begin at', async () => {
  const text = Buffer.from(stanza('x/p.deb'));
  const files = new Map<string, Content>([
    ['a/x/p.deb', DEB],
    ['a/x/Packages', text],
    ['a/x/Release', Buffer.from(release({ Packages: text }))],
  ]);
  const verdict = await judge(files);
  assert.deepEqual([verdict.count, verdict.kinds], [0, ['debian']]);
  assert.equal((await judge(new Map(files).set('a/x/p.deb', Buffer.from('A PACKAGE')))).count, 1);
});

test('a kind that is asked for by name has to be there', async () => {
  const { contradictions } = await judge(archive(), undefined, undefined, { ...AUTO, kinds: ['debian', 'rpm'] });
  assert.deepEqual(
    contradictions.map(({ kind, what }) => `${kind} ${what}`),
    ['rpm missing'],
  );
});

describe('with a keyring', () => {
  const dir = mkdtempSync(join(tmpdir(), 'g-'));
  const signer = Signer.create(join(dir, 'k'));
  const setting = { ...AUTO, keyrings: [join(dir, 'k', 'mirror.gpg')] };
  const whats = async (files: PlainTree) => (await judge(files, undefined, undefined, setting)).contradictions.map(({ what }) => what);

  test('a signature by a key of it passes; none, a torn one and one of another text do not', async () => {
    const files = archive();
    const text = String(files.get('dists/s/Release'));
    assert.deepEqual(await whats(files), ['unsigned']);
    const beside = new Map(files).set('dists/s/Release.gpg', signer.detached(text));
    assert.deepEqual(await whats(beside), []);
    assert.deepEqual(await whats(new Map(beside).set('dists/s/Release.gpg', signer.detached('another'))), ['unsigned']);
    const clear = signer.clearsign(text);
    assert.deepEqual(await whats(new Map(files).set('dists/s/InRelease', clear)), []);
    const torn = await whats(new Map(files).set('dists/s/InRelease', clear.subarray(0, clear.length - 100)));
    assert.deepEqual([...torn].sort(), ['unreadable', 'unsigned']);
    const unlike = Buffer.from(String(clear).replace('Suite: s', 'Suite: t'));
    assert.deepEqual(await whats(new Map(files).set('dists/s/InRelease', unlike)), ['unsigned']);
  });

  test('that is not there, the judge says so', async () => {
    const missing = { ...AUTO, keyrings: [join(dir, 'none.gpg')] };
    await assert.rejects(judge(archive(), undefined, undefined, missing), { code: 'BAD_CONFIG', message: /cannot read the keyring/ });
  });

  test.after(() => {
    signer.close();
    rmSync(dir, { recursive: true });
  });
});
