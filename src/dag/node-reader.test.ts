import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as dagPb from '@ipld/dag-pb';
import fc from 'fast-check';
import { UnixFS } from 'ipfs-unixfs';
import { CID } from 'multiformats/cid';
import * as Digest from 'multiformats/hashes/digest';
import { ShardctlError } from '../core/errors.ts';
import { DAG_PB, RAW } from '../core/model.ts';
import { sha256 } from './cid.ts';
import { encodeFileNode, encodeLeafFrame, encodeSymlink } from './file-node.ts';
import { decodeNode, hamtEntryName, onlyLeafOf } from './node-reader.ts';

const child = { codec: RAW, digest: Buffer.alloc(32, 7), fileBytes: 9, dagSize: 9 } as const;
const SAMPLES = [
  encodeFileNode([child, { ...child, codec: DAG_PB, dagSize: 300 }], { mode: 0o640, mtimeNs: -5n }, 1),
  encodeFileNode([child], undefined, 0),
  encodeSymlink(Buffer.from('gro\xdf', 'latin1'), { mtimeNs: 12_345_678_901n }),
  Buffer.concat([encodeLeafFrame(3).prefix, Buffer.from('abc'), encodeLeafFrame(3).suffix]),
  hamtNode(256n, 0x22n),
  dagPb.encode({
    Links: [linkNamed('a'), linkNamed('b'.repeat(127)), linkNamed('c'.repeat(128))],
    Data: new UnixFS({ type: 'directory' }).marshal(),
  }),
];

test('files, symlinks and leaves decode to what went in', () => {
  const [file, , symlink, leaf] = SAMPLES.map((sample) => decodeNode(sample));
  assert.deepEqual(
    { ...file, links: file?.links.map((link) => ({ ...link, digest: Buffer.from(link.digest) })) },
    {
      type: 'file',
      fileBytes: 18,
      blockSizes: [9, 9],
      mode: 0o640,
      mtimeNs: -5n,
      links: [
        { name: '', codec: RAW, digest: child.digest, dagSize: 9 },
        { name: '', codec: DAG_PB, digest: child.digest, dagSize: 300 },
      ],
    },
  );
  assert.equal(Buffer.from(symlink?.data ?? []).toString('latin1'), 'gro\xdf');
  assert.deepEqual(
    { type: symlink?.type, mode: symlink?.mode, mtimeNs: symlink?.mtimeNs },
    { type: 'symlink', mode: undefined, mtimeNs: 12_345_678_901n },
  );
  assert.deepEqual({ data: Buffer.from(leaf?.data ?? []).toString(), fileBytes: leaf?.fileBytes }, { data: 'abc', fileBytes: 3 });
});

test('it reads what ipfs-unixfs writes', () => {
  const types = { raw: 'raw', directory: 'directory', file: 'file', symlink: 'symlink' } as const;
  const mtimes = fc.record({ secs: fc.bigInt(-(2n ** 40n), 2n ** 31n - 1n), nsecs: fc.integer({ min: 0, max: 999_999_999 }) });
  fc.assert(
    fc.property(
      fc.constantFrom(...Object.values(types)),
      fc.uint8Array({ minLength: 1 }),
      fc.nat(0o7777),
      mtimes,
      (type, data, mode, mtime) => {
        const unixfs = new UnixFS({ type, mode, mtime, ...(type === 'directory' ? {} : { data }) });
        const node = decodeNode(dagPb.encode({ Links: [], Data: unixfs.marshal() }));
        assert.equal(node.type, type);
        assert.deepEqual(node.data && new Uint8Array(node.data), type === 'directory' ? undefined : data);
        // It leaves out what it takes for the default.
        assert.equal(node.mode ?? (type === 'directory' ? 0o755 : 0o644), mode);
        assert.equal(node.mtimeNs, mtime.secs * 1_000_000_000n + BigInt(mtime.nsecs));
      },
    ),
  );
});

test('whatever the bytes, it decodes them as @ipld/dag-pb does, or says that they are damaged', () => {
  const mutations = fc.array(fc.record({ at: fc.nat(), byte: fc.nat(255) }), { minLength: 1, maxLength: 3 });
  fc.assert(
    fc.property(fc.constantFrom(...SAMPLES), mutations, fc.nat(), (sample, mutations, cut) => {
      const bytes = Buffer.from(sample);
      for (const { at, byte } of mutations) bytes[at % bytes.length] = byte;
      const block = cut % 3 === 0 ? bytes.subarray(0, cut % bytes.length) : bytes;
      const node = decodedOrDamaged(block);
      if (node === undefined) return;
      // A flipped bit may make an identity CID of a link: what it carries is what it links to.
      const { Links } = dagPb.decode(block);
      assert.deepEqual(
        node.links.map((link) => [Buffer.from(link.inline ?? link.digest).toString('hex'), link.dagSize]),
        Links.map((link) => [Buffer.from(link.Hash.multihash.digest).toString('hex'), link.Tsize ?? 0]),
      );
    }),
    { numRuns: 3000 },
  );
});

test('bytes that are no node at all are damaged', () => {
  fc.assert(fc.property(fc.uint8Array(), (bytes) => void decodedOrDamaged(bytes)));
});

test('a node that cannot be ours or anybody’s is damaged', () => {
  const digest = Digest.create(0x12, new Uint8Array(32));
  const data = new UnixFS({ type: 'directory' }).marshal();
  const linkTo = (cid: CID) => dagPb.encode({ Links: [{ Name: 'a', Tsize: 1, Hash: cid }], Data: data });
  const withData = (hex: string) => dagPb.encode({ Links: [], Data: Buffer.from(hex, 'hex') });
  const damaged: Record<string, Uint8Array> = {
    'no data': dagPb.encode({ Links: [] }),
    'no type': withData('1800'),
    'an unknown type': withData('0809'),
    'a metadata node': withData('0803'),
    'an inline link of more bytes than IPFS allows': linkTo(CID.createV1(RAW, Digest.create(0, new Uint8Array(129)))),
    'an inline link to another codec': linkTo(CID.createV1(0x71, Digest.create(0, new Uint8Array(4)))),
    'packed sizes that are cut': withData('0802220280'),
    'a link to another codec': linkTo(CID.createV1(0x71, digest)),
    'a link by another hash': linkTo(CID.createV1(RAW, Digest.create(0x1b, new Uint8Array(32)))),
    'an mtime with no seconds': withData('08014205 1500000000'.replace(' ', '')),
    'an mtime of too many nanoseconds': withData('08014207 080015ffffffff'.replace(' ', '')),
    'a HAMT by another hash': hamtNode(256n, 0x23n),
    'a HAMT of too many slots': hamtNode(2048n, 0x22n),
    'a HAMT of an odd number of slots': hamtNode(100n, 0x22n),
    'a length beyond the end': Buffer.from('0aff01', 'hex'),
    'a length beyond any end': Buffer.from('0affffffffffffffff7f', 'hex'),
    'an endless varint': Buffer.alloc(20, 0xff),
  };
  assert.deepEqual(
    Object.entries(damaged).filter(([, bytes]) => decodedOrDamaged(bytes) !== undefined),
    [],
  );
});

test('data may come before the links, as other writers have it, and unknown UnixFS fields are passed over', () => {
  const links = encodeFileNode([child], undefined, 1);
  const dataAt = links.lastIndexOf(Buffer.from('0a06080218092009', 'hex'));
  const swapped = Buffer.concat([links.subarray(dataAt), links.subarray(0, dataAt)]);
  assert.deepEqual(decodeNode(swapped), decodeNode(links));
  const future = dagPb.encode({ Links: [], Data: Buffer.from('08025203616263780159010203040506070865010203041800', 'hex') });
  assert.equal(decodeNode(future).type, 'file');
});

test('a link to a block that is inline in it is one to these bytes under sha2-256', () => {
  const bytes = Buffer.from('inline');
  const node = decodeNode(
    dagPb.encode({ Links: [{ Name: 'in', Tsize: 6, Hash: CID.createV1(RAW, Digest.create(0, bytes)) }], Data: Buffer.of(8, 1) }),
  );
  const [link] = node.links;
  assert.deepEqual([link?.name, link?.codec, Buffer.from(link?.inline ?? [])], ['in', RAW, bytes]);
  assert.deepEqual(link?.digest, sha256(bytes));
});

test('a file is its only leaf where that is a raw block of its own, and all bytes lie in it', () => {
  const raw = CID.createV1(RAW, Digest.create(0x12, new Uint8Array(32)));
  const of = (...hashes: CID[]) => dagPb.encode({ Links: hashes.map((Hash) => ({ Name: '', Tsize: 1, Hash })), Data: Buffer.of(8, 2) });
  assert.equal(onlyLeafOf(decodeNode(of(raw)))?.codec, RAW);
  const others = [of(), of(raw, raw), of(CID.createV1(DAG_PB, raw.multihash)), of(CID.createV1(RAW, Digest.create(0, Buffer.from('x'))))];
  const withData = dagPb.encode({ Links: [{ Name: '', Tsize: 1, Hash: raw }], Data: Buffer.from('0802120178', 'hex') });
  for (const node of [...others, withData]) assert.equal(onlyLeafOf(decodeNode(node)), undefined);
});

test('a link to what no tree has here is named, with its codec and its hash', () => {
  const cid = CID.createV1(RAW, Digest.create(0x13, new Uint8Array(64)));
  assert.throws(() => decodeNode(dagPb.encode({ Links: [{ Name: '', Tsize: 0, Hash: cid }], Data: Buffer.of(8, 1) })), {
    code: 'DAMAGE',
    message: new RegExp(`${cid}, which is raw under sha2-512`),
  });
});

test('sizes may be packed into one field, as writers of protobuf 3 have them; a file that does not say how large it is has what they add up to', () => {
  const single = decodeNode(dagPb.encode({ Links: [], Data: Buffer.from('080220ac0220032001', 'hex') }));
  const packed = decodeNode(dagPb.encode({ Links: [], Data: Buffer.from('08022204ac020301', 'hex') }));
  assert.deepEqual(packed.blockSizes, [300, 3, 1]);
  assert.deepEqual(packed, single);
  assert.equal(packed.fileBytes, 304);
});

test('a HAMT link is an entry, or leads one level down', () => {
  assert.equal(hamtEntryName('0Aname'), 'name');
  assert.equal(hamtEntryName('FF'), undefined);
  assert.equal(hamtEntryName('1FFname', 1024), 'name');
  for (const name of ['', 'A', 'zzname', '0aname']) assert.throws(() => hamtEntryName(name), { code: 'DAMAGE' });
});

function linkNamed(name: string) {
  return { Name: name, Tsize: 2 ** (name.length % 54) - 1, Hash: CID.createV1(RAW, Digest.create(0x12, child.digest)) };
}

function hamtNode(fanout: bigint, hashType: bigint): Uint8Array {
  const unixfs = new UnixFS({ type: 'hamt-sharded-directory', data: Buffer.of(1), fanout, hashType });
  const Hash = CID.createV1(RAW, Digest.create(0x12, child.digest));
  return dagPb.encode({ Links: [{ Name: '00name', Tsize: 1, Hash }], Data: unixfs.marshal() });
}

function decodedOrDamaged(bytes: Uint8Array) {
  try {
    return decodeNode(bytes);
  } catch (error) {
    assert.ok(error instanceof ShardctlError && error.code === 'DAMAGE', String(error));
    return undefined;
  }
}
