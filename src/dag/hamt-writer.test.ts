import assert from 'node:assert/strict';
import { test } from 'node:test';
import { murmur364 } from '@multiformats/murmur3';
import fc from 'fast-check';
import { importer } from 'ipfs-unixfs-importer';
import { ShardctlError } from '../core/errors.ts';
import { type ByteString, type CidProfile, type Metadata, RAW } from '../core/model.ts';
import { sampled } from '../testing/depth.ts';
import { CLOSE_NAMES, SAME_HASH_NAMES } from '../testing/golden-recipe.ts';
import { CID_COLUMN_BYTES } from '../walk/directory.ts';
import { cidText, sha256 } from './cid.ts';
import { profileOf } from './cid-profile.ts';
import { buildDirectory } from './directory-node.ts';
import type { HamtBefore } from './hamt-writer.ts';
import { decodeNode, hamtEntryName } from './node-reader.ts';

/** Every directory with an entry is a HAMT directory. */
const PROFILE: CidProfile = { ...profileOf('unixfs-v1-2025'), hamtThreshold: 10 };

/** A HAMT directory of files that hold their own names. */
function build(names: readonly ByteString[], metadata?: Metadata, before?: HamtBefore, other: ReadonlySet<ByteString> = new Set()) {
  const sorted = [...names].sort();
  const cids = Buffer.alloc(names.length * CID_COLUMN_BYTES);
  for (const [i, name] of sorted.entries()) {
    cids[i * CID_COLUMN_BYTES] = RAW;
    cids.set(sha256(Buffer.from(`${other.has(name) ? 'other ' : ''}${name}`, 'latin1')), i * CID_COLUMN_BYTES + 1);
  }
  const blocks = new Map<string, Buffer>();
  const dagSizes = Float64Array.from(sorted, (name) => name.length);
  const links = { count: names.length, names: sorted, cids, dagSizes };
  const emit = (block: Buffer) => {
    const digest = sha256(block);
    blocks.set(Buffer.from(digest).toString('hex'), block);
    return digest;
  };
  const root = buildDirectory(links, metadata, PROFILE, emit, before);
  const nodeOf = (digest: Uint8Array) => decodeNode(blocks.get(Buffer.from(digest).toString('hex')) as Buffer);
  return { root, blocks, nodeOf };
}

const byteNames = fc.uniqueArray(
  fc.uint8Array({ minLength: 1, maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
  { minLength: 1, maxLength: 600 },
);

test('a HAMT directory with UTF-8 names is the one that ipfs-unixfs-importer makes', async () => {
  // The importer takes paths: it splits at slashes, drops dots, and has a backslash for escapes.
  const names = fc.uniqueArray(
    fc.string({ unit: 'binary', minLength: 1, maxLength: 30 }).map((text) => text.replace(/[/\\.]/g, '_')),
    { minLength: 1, maxLength: 400 },
  );
  const law = fc.asyncProperty(names, async (names) => {
    const bytes = names.map((name) => Buffer.from(name).toString('latin1'));
    const source = names.map((name) => ({ path: `d/${name}`, content: Buffer.from(name) }));
    let expected: unknown;
    const store = { put: async (cid: unknown) => cid as never };
    for await (const { cid } of importer(source, store, { profile: 'unixfs-v1-2025', shardSplitThresholdBytes: 10 })) expected = cid;
    assert.equal(cidText(build(bytes).root, 1), String(expected));
  });
  await fc.assert(law, { numRuns: 25 });
});

test('every name is found along its hash; links are sorted, and only the root has metadata', () => {
  const dated: Metadata = { mode: 0o2755, mtimeNs: -1n };
  fc.assert(
    fc.property(byteNames, (names) => {
      const { root, blocks, nodeOf } = build([...names, ...CLOSE_NAMES], dated);
      const found: ByteString[] = [];
      const visit = (digest: Uint8Array, prefix: string): number => {
        const node = nodeOf(digest);
        assert.equal(node.type, 'hamt');
        assert.equal(node.fanout, 256);
        assert.deepEqual(node.mode, prefix === '' ? dated.mode : undefined);
        assert.deepEqual(node.mtimeNs, prefix === '' ? dated.mtimeNs : undefined);
        const order = node.links.map((link) => link.name);
        assert.deepEqual(order, [...order].sort());
        assert.equal(bitsOf(node.data as Uint8Array), slotsOf(order));
        let bytes = (blocks.get(Buffer.from(digest).toString('hex')) as Buffer).length;
        for (const link of node.links) {
          const name = hamtEntryName(link.name);
          const path = prefix + link.name.slice(0, 2);
          if (name === undefined) assert.equal(visit(link.digest, path), link.dagSize);
          else {
            found.push(name);
            assert.ok(hashOf(name).startsWith(path), `${path} is no prefix of the hash of ${name}`);
            assert.deepEqual(Buffer.from(link.digest), Buffer.from(sha256(Buffer.from(name, 'latin1'))));
          }
          bytes += link.dagSize;
        }
        return bytes;
      };
      assert.equal(visit(root.digest, ''), root.dagSize);
      assert.deepEqual(found.sort(), [...new Set([...names, ...CLOSE_NAMES])].sort());
    }),
    { numRuns: 30 },
  );
});

test('nodes are emitted children first, in the same order every time', () => {
  const names = Array.from({ length: 3000 }, (_, i) => `name-${i}`);
  const { blocks, root, nodeOf } = build(names);
  assert.deepEqual([...build([...names].reverse()).blocks.keys()], [...blocks.keys()]);
  const seen = new Set<string>();
  for (const [digest, block] of blocks) {
    for (const link of decodeNode(block).links) {
      if (hamtEntryName(link.name) === undefined) assert.ok(seen.has(Buffer.from(link.digest).toString('hex')));
    }
    seen.add(digest);
  }
  assert.equal([...blocks.keys()].at(-1), Buffer.from(root.digest).toString('hex'));
  assert.equal(nodeOf(root.digest).links.length, 256);
});

test('names of one hash are refused by name', () => {
  assert.throws(
    () => build(['a', ...SAME_HASH_NAMES]),
    (error) => error instanceof ShardctlError && error.code === 'SOURCE_UNREADABLE' && /\\u001c|\\x1C/i.test(error.message),
  );
});

function hashOf(name: ByteString): string {
  const hash = murmur364.encode(Buffer.from(name, 'latin1')) as Uint8Array;
  return Buffer.from(hash).toString('hex').toUpperCase();
}

/** A bitfield as a number, and the one that these link names call for. */
function bitsOf(bitfield: Uint8Array): bigint {
  assert.notEqual(bitfield[0], 0, 'leading zeros');
  return BigInt(`0x${Buffer.from(bitfield).toString('hex')}`);
}

function slotsOf(linkNames: readonly ByteString[]): bigint {
  return linkNames.reduce((bits, name) => bits | (1n << BigInt(Number.parseInt(name.slice(0, 2), 16))), 0n);
}

test('made from what it was before, a HAMT directory has the root that it would have anew, and no node is made twice', () => {
  const law = fc.property(byteNames, byteNames, fc.nat(600), fc.nat(600), (some, more, removed, altered) => {
    const old = [...new Set(some)];
    const gone = new Set(old.slice(0, removed % old.length));
    const names = [...new Set([...old.filter((name) => !gone.has(name)), ...more])];
    const other = new Set(names.slice(0, altered % 5));
    const first = build(old, { mode: 0o755 });
    const changed = [...gone, ...more, ...other];
    const before = { root: first.nodeOf(first.root.digest), changed };
    const made = build(names, { mode: 0o700 }, before, other);
    const anew = build(names, { mode: 0o700 }, undefined, other);
    assert.deepEqual(made.root, anew.root);
    assert.ok([...made.blocks.keys()].every((key) => anew.blocks.has(key)));
  });
  fc.assert(law, { numRuns: sampled(30, 100) });
});

test('one name more among 100,000 makes a handful of nodes', () => {
  const names = Array.from({ length: 100_000 }, (_, i) => `package-${i}_1.0_amd64.deb`);
  const first = build(names);
  const before = { root: first.nodeOf(first.root.digest), changed: ['new'] };
  const { root, blocks } = build([...names, 'new'], undefined, before);
  const fresh = [...blocks.keys()].filter((key) => !first.blocks.has(key));
  assert.ok(fresh.length <= 4, `${fresh.length} are new`);
  assert.ok(blocks.size < 300, `${blocks.size} of ${first.blocks.size} are made`);
  assert.deepEqual(root, build([...names, 'new']).root);
});
