import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import type { CID } from 'multiformats/cid';
import { parseCid } from '../../dag/cid.ts';
import { placedBlocks } from '../../read/blocks/placed-blocks.ts';
import { get } from '../../restore/get.ts';
import {
  carHeader,
  carSection,
  carV2,
  DAG_CBOR,
  ForeignCar,
  foreignNode,
  foreignUnixFs,
  IDENTITY,
  SHA2_512,
  TYPE,
  varint,
} from '../../testing/foreign-car.ts';
import { KuboRepo, requireKubo } from '../../testing/kubo.ts';
import { assertNoOrphans, pruneHome, withIndex } from '../../testing/retention.ts';
import { TestHome } from '../../testing/run.ts';
import { exportedCar, type ImportedCarOptions, importedCar } from '../../testing/tree-car.ts';
import { contents } from '../../testing/tree-contents.ts';

let dir: string;
let home: TestHome;
let car: ForeignCar;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'shardctl-car-'));
  home = await TestHome.create();
  car = new ForeignCar();
});
afterEach(() => {
  home.remove();
  rmSync(dir, { recursive: true, force: true });
});

const imported = (bytes: Buffer, options?: ImportedCarOptions) => importedCar(home, bytes, options);

/** What is in the newest snapshot, as `get` brings it back. */
async function restored(from = home): Promise<Record<string, string>> {
  const out = mkdtempSync(join(dir, 'out-'));
  await withIndex(from, async (index) => {
    const root = parseCid(index.snapshot('test', index.repository('test')?.head ?? 0)?.tree ?? '');
    const blocks = placedBlocks(index, from.peers);
    const signal = new AbortController().signal;
    const { failure } = await get({ root, path: '', out, blocks, emit: () => {}, signal }).finally(() => blocks.close());
    assert.equal(failure, undefined);
  });
  return contents(out);
}

/** What was taken can be read, is whole, and goes on to another home as the same tree. */
async function assertComesBack(tree: Record<string, string>, root: string): Promise<void> {
  assert.deepEqual(await restored(), tree);
  await pruneHome(home);
  assert.deepEqual(await home.damage(), []);
  await assertNoOrphans(home);
  const other = await TestHome.create();
  try {
    const again = await importedCar(other, await exportedCar(home));
    assert.equal(again.tree, root);
    assert.deepEqual(await restored(other), tree);
  } finally {
    other.remove();
  }
}

async function assertTaken(root: CID, tree: Record<string, string>): Promise<void> {
  assert.equal((await imported(car.v1(root))).tree, root.toString());
  await assertComesBack(tree, root.toString());
}

async function assertRefused(bytes: Buffer, message: RegExp, options?: ImportedCarOptions, code = 'DAMAGE'): Promise<void> {
  await assert.rejects(imported(bytes, options), { code, message });
  await withIndex(home, async (index) => assert.deepEqual(index.repositories(), []));
}

test('a CARv2 is taken for the CARv1 in it, with an index or without, whatever pieces it comes in', async () => {
  const root = car.directory({ a: car.raw('hello') });
  const v1 = car.v1(root);
  const index = Buffer.from('an index, of whatever kind');
  for (const wrapped of [
    carV2(v1),
    carV2(v1, { index }),
    carV2(v1, { index, padding: 1000 }),
    carV2(Buffer.concat([v1, Buffer.alloc(99)])),
  ]) {
    for (const pieceBytes of [1, 60, 65_536]) assert.equal((await imported(wrapped, { pieceBytes })).tree, root.toString());
  }
  await assertComesBack({ a: 'hello' }, root.toString());
});

test('a CARv2 that was cut, never finished or made up is refused', async () => {
  const v1 = car.v1(car.directory({ a: car.raw('hello') }));
  const whole = carV2(v1, { padding: 20 });
  for (let length = 0; length < whole.length; length += 3) await assertRefused(whole.subarray(0, length), /not a CAR|cut off/);
  for (const [name, start, length] of [
    ['never finished', 0n, 0n],
    ['impossible head', 7n, 100n],
    ['impossible head', 2n ** 63n, 100n],
    ['cut off', 2n ** 50n, 100n],
  ] as const) {
    const wrong = Buffer.from(whole);
    wrong.writeBigUInt64LE(start, 27);
    wrong.writeBigUInt64LE(length, 35);
    await assertRefused(wrong, new RegExp(name));
  }
  await assertRefused(carV2(whole), /not a CAR.* version: 2 \(expected 1\)/);
});

test('zeros at the end of a CAR are no blocks; anything after them is damage', async () => {
  const root = car.directory({ a: car.raw('hello') });
  await assertRefused(Buffer.concat([car.v1(root), Buffer.alloc(9), Buffer.from('x')]), /something after the zeros/);
  assert.equal((await imported(Buffer.concat([car.v1(root), Buffer.alloc(70_000)]))).tree, root.toString());
});

test('of a CAR with several roots one must be chosen, and each of them can be', async () => {
  const first = car.directory({ a: car.raw('first') });
  const second = car.directory({ a: car.raw('second') });
  const foreign = car.put(Buffer.from('a0', 'hex'), DAG_CBOR);
  const bytes = car.v1(first, second, foreign, first);
  await assertRefused(bytes, new RegExp(`3 roots: ${first}, ${second}, ${foreign}`), {}, 'USAGE');
  await assertRefused(bytes, /is not a root of/, { root: car.raw('first').toString() }, 'USAGE');
  assert.equal((await imported(bytes, { root: second.toString() })).tree, second.toString());
  assert.deepEqual(await restored(), { a: 'second' });
  assert.equal((await imported(bytes, { root: first.toV0().toString() })).tree, first.toV0().toString());
});

test('of several roots the hint names one that can be a tree, and the command that it gives works', async () => {
  const hinted = async (bytes: Buffer) =>
    await imported(bytes).then(
      () => assert.fail('one root was taken'),
      ({ code, hint }: { code: string; hint: string }) => {
        assert.equal(code, 'USAGE');
        return /--root (\S+)$/.exec(hint)?.[1] as string;
      },
    );
  const foreign = car.put(Buffer.from('a0', 'hex'), DAG_CBOR);
  const leaf = car.raw('leaf');
  const tree = car.directory({ a: leaf });
  const bytes = car.v1(foreign, leaf, tree);
  assert.equal(await hinted(bytes), tree.toString());
  await assertRefused(bytes, /has the root bafy\S+, which is dag-cbor under sha2-256/, { root: foreign.toString() });
  await assertRefused(car.v1(foreign, leaf), /2 roots, and none of them is a tree/);
  const inline = car.v1(car.directory({}, {}, IDENTITY), tree);
  assert.equal((await imported(inline, { root: await hinted(inline) })).tree, car.directory({}).toString());
});

test('of a CAR without roots any tree in it can be chosen', async () => {
  const root = car.directory({ a: car.raw('hello') });
  await assertRefused(car.v1(), /does not say which/, {}, 'USAGE');
  assert.equal((await imported(car.v1(), { root: root.toString() })).tree, root.toString());
});

test('blocks of other kinds are passed over, and counted, as long as the tree does not need them', async () => {
  car.put(Buffer.from('a0', 'hex'), DAG_CBOR);
  car.raw('by another hash', SHA2_512);
  car.raw('of no use');
  const root = car.directory({ a: car.raw('hello') });
  const { tree, foreignBlocks, unneededBlocks } = await imported(car.v1(root));
  assert.deepEqual([tree, foreignBlocks, unneededBlocks], [root.toString(), 2, 1]);
  const needed = car.raw('by another hash', SHA2_512);
  await assert.rejects(imported(car.v1(car.directory({ a: needed }))), {
    code: 'DAMAGE',
    message: new RegExp(`${needed}, which is raw under sha2-512`),
  });
  const cbor = car.put(Buffer.from('a0', 'hex'), DAG_CBOR);
  await assert.rejects(imported(car.v1(cbor)), { code: 'DAMAGE', message: /root .* dag-cbor under sha2-256/ });
});

test('what a CAR leaves out must be of the same repository: a CID is no key to what another one has', async () => {
  const secret = car.directory({ file: car.raw('secret') });
  await imported(car.v1(secret), { repository: 'other' });
  const linking = new ForeignCar();
  const root = linking.directory({ stolen: secret });
  await assert.rejects(imported(linking.v1(root)), { code: 'DAMAGE', message: /does not hold its whole tree: block/ });
  await withIndex(home, async (index) => assert.equal(index.repository('test'), undefined));
  const next = linking.directory({ kept: secret, more: linking.raw('more') });
  const { tree } = await imported(linking.v1(next), { repository: 'other' });
  assert.equal(tree, next.toString());
});

test('blocks that are inline in the CIDs that link to them are read, kept and handed on', async () => {
  const leaf = car.raw('in a CID', IDENTITY);
  const file = car.file([
    [leaf, 8],
    [car.raw('!'), 1],
  ]);
  const inner = car.directory({ f: car.raw('in a directory in a CID', IDENTITY) }, {}, IDENTITY);
  const root = car.directory({ empty: car.directory({}, {}, IDENTITY), file, inner, leaf, outer: car.raw('in a CID') });
  await assertTaken(root, {
    empty: 'directory',
    file: 'in a CID!',
    inner: 'directory',
    'inner/f': 'in a directory in a CID',
    leaf: 'in a CID',
    outer: 'in a CID',
  });
  const withSections = Buffer.concat([car.v1(root), carSection({ cid: leaf, bytes: Buffer.from('in a CID') })]);
  assert.equal((await imported(withSections)).unchanged, true);
});

test('stock Kubo reads the CAR that is made of a tree with inline blocks', async (t) => {
  if (!requireKubo(t)) return;
  const kubo = KuboRepo.init(join(dir, 'ipfs'));
  const inner = car.directory({ f: car.raw('inline', IDENTITY), g: car.raw('a block') }, {}, IDENTITY);
  const root = car.directory({ inner: car.directory({ inner }), leaf: car.raw('inline', IDENTITY) });
  await imported(car.v1(root));
  kubo.run(['dag', 'import'], await exportedCar(home));
  assert.equal(kubo.text(['cat', `${root}/inner/inner/f`]), 'inline');
  assert.equal(kubo.text(['cat', `${root}/inner/inner/g`]), 'a block');
  assert.equal(kubo.text(['cat', `${root}/leaf`]), 'inline');
});

test('a tree whose root is inline in its own CID is stored as a block, and that is told', async () => {
  const root = car.directory({}, {}, IDENTITY);
  const warnings: string[] = [];
  const { tree } = await imported(carHeader([root]), { onWarning: (message) => warnings.push(message) });
  assert.equal(tree, car.directory({}).toString());
  assert.match(warnings.join(), new RegExp(`inline in its CID.* ${tree}`));
  await assertComesBack({}, tree);
});

test('packed sizes, data before links, fields that are not known, fractions of seconds before 1970: files are read as others write them', async () => {
  const [one, two] = [car.raw('one'), car.raw('two')];
  const packed = car.file(
    [
      [one, 3],
      [two, 3],
    ],
    { packed: true },
  );
  const data = Buffer.concat([foreignUnixFs({ type: TYPE.file, filesize: 6, blocksizes: [3, 3] }), Buffer.from([0x7a, 1, 0])]);
  const dataFirst = car.put(foreignNode([{ cid: one }, { cid: two }], data, true));
  const both = car.file([[one, 3]], { data: Buffer.from('zero'), filesize: 7 });
  const wrapped = car.put(foreignNode([], foreignUnixFs({ type: TYPE.raw, data: Buffer.from('wrapped') })));
  const old = car.file([[wrapped, 7]], { mode: 0o100640, mtime: { seconds: -2n, nanoseconds: 5 } });
  const root = car.directory({ both, dataFirst, old, packed, wrapped });
  await assertTaken(root, { both: 'zeroone', dataFirst: 'onetwo', old: 'wrapped', packed: 'onetwo', wrapped: 'wrapped' });
});

test('a block is two MiB at most', async () => {
  const most = car.directory({ a: car.raw(Buffer.alloc(2 ** 21)) });
  assert.equal((await imported(car.v1(most))).bytes, 2 ** 21);
  const cid = car.raw(Buffer.alloc(2 ** 21 + 1));
  await assert.rejects(imported(car.v1(car.directory({ a: cid }))), { code: 'DAMAGE', message: /a block of 2097153 bytes/ });
});

test('a header may have its keys in any order, and roots of any kind beside the one that is chosen; what is none is refused', async () => {
  const root = car.directory({ a: car.raw('hello') });
  const sections = car.v1(root).subarray(carHeader([root]).length);
  const version = [0x67, ...Buffer.from('version'), 1];
  const roots = Buffer.concat([Buffer.from([0x65, ...Buffer.from('roots'), 0x81, 0xd8, 0x2a, 0x58, 37, 0]), root.bytes]);
  const header = (...parts: Uint8Array[]) => {
    const cbor = Buffer.concat(parts);
    return Buffer.concat([varint(cbor.length), cbor, sections]);
  };
  assert.equal((await imported(header(Buffer.of(0xa2, ...version), roots))).tree, root.toString());
  for (const wrong of [
    header(Buffer.of(0xa1, ...version)),
    header(Buffer.of(0xa1), roots),
    header(Buffer.of(0xa2, ...version), roots, Buffer.of(0)),
    header(Buffer.of(0xa3, ...version), roots),
    header(Buffer.of(0xbb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)),
    header(Buffer.of(0xa2, ...version, 0x65, ...Buffer.from('roots'), 0x9a, 0xff, 0xff, 0xff, 0xff)),
    header(Buffer.of(0xa2, ...version.slice(0, -1), 3), roots),
  ]) {
    await assert.rejects(imported(wrong), { code: 'DAMAGE', message: /not a CAR|version 3/ });
  }
});
