import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { ShardctlError } from '../../core/errors.ts';
import { RAW } from '../../core/model.ts';
import { parseCid, sha256 } from '../../dag/cid.ts';
import { Index } from '../../index/index.ts';
import { CAR_HEADER_BYTES, SectionCursor } from '../../shard/car.ts';
import { oneIn } from '../../testing/depth.ts';
import { Program } from '../../testing/program.ts';
import { TestHome } from '../../testing/run.ts';
import { carPath, damageBlock, everythingIn, type HeldBlock, joined, MANY, StoredHome } from '../../testing/stored-home.ts';
import { UnlistedBlock } from '../blocks/block-source.ts';
import { Replicas } from './replicas.ts';
import { MovedBlock, StoredBlocks } from './stored-blocks.ts';

const sample = oneIn(5);

let made: StoredHome;

before(async () => {
  made = await StoredHome.make(['a', 'b']);
});
after(() => made.remove());

test('every block of shards, manifests and catalogues of all snapshots is there by its digest, with its size and place', {
  skip: sample(),
}, async () => {
  await made.opened(async (opened) => {
    const { blocks, trouble, cache } = opened;
    const held = await everythingIn(opened);
    assert.ok(held.length > MANY + 10);
    for (const round of [1, 2]) {
      for (const { digest, length } of held) {
        assert.deepEqual(Buffer.from(sha256(await blocks.read(digest))), Buffer.from(digest));
        assert.equal(await blocks.sizeOf(digest), length);
        const place = await blocks.placeOf(digest);
        assert.ok(held.some(({ cid, digest: its }) => cid === place?.cid && Buffer.compare(its, digest) === 0));
        if (round === 2) assert.ok(blocks.extentNow(digest), 'what was read once lies in a file that is open');
      }
    }
    assert.deepEqual(trouble, []);
    assert.equal(readdirSync(join(cache, 'offsets')).length, new Set(held.map(({ cid }) => cid)).size);
  });
});

test('a block that the home does not know is said to be unknown, and no peer is asked a second time', { skip: sample() }, async () => {
  await made.opened(async (opened) => {
    const { blocks, index, replicas, home } = opened;
    const unknown = sha256(Buffer.from('nowhere'));
    await assert.rejects(blocks.read(unknown), UnlistedBlock);
    for (const peer of home.peers.values()) peer.carPath = () => assert.fail('asked again');
    assert.equal(await blocks.placeOf(sha256(Buffer.from('nor this'))), undefined);
    assert.equal(await blocks.sizeOf(unknown), undefined);
    assert.equal(await blocks.extentOf(unknown), undefined);
    // Another view of the same home knows from the one before what is in the shards.
    const next = new StoredBlocks({ index, replicas });
    assert.equal(await next.placeOf(unknown), undefined);
    await next.close();
  });
});

test('roots that cannot be read are not asked for again with each unknown block', { skip: sample() }, async () => {
  await made.opened(async ({ blocks, home }) => {
    let asked = 0;
    for (const peer of home.peers.values()) {
      const fail = async () => {
        asked++;
        throw new ShardctlError('DAMAGE', 'it cannot be read');
      };
      Object.assign(peer, { carPath: fail, open: fail, block: fail, salvage: fail });
    }
    assert.equal(await blocks.placeOf(sha256(Buffer.from('first'))), undefined);
    const before = asked;
    assert.ok(before > 0);
    for (let i = 0; i < 10; i++) assert.equal(await blocks.placeOf(sha256(Buffer.from(`${i}`))), undefined);
    assert.equal(asked, before);
  });
});

test('a shard streams as its CAR, byte for byte, whole and in ranges, and a catalogue, too', { skip: sample() }, async () => {
  await made.opened(async (opened) => {
    const { blocks, home } = opened;
    for (const cid of new Set((await everythingIn(opened)).map((held) => held.cid))) {
      const file = readFileSync(carPath(home, 'a', cid));
      const car = await blocks.carOf(cid);
      assert.equal(car?.carBytes, file.length);
      assert.ok(file.equals(await joined(car.stream())));
      for (const [from, to] of [
        [0, 1],
        [10, 200],
        [file.length >> 1, (file.length >> 1) + 3000],
        [file.length - 5, file.length],
        [file.length >> 2, file.length],
      ] as const) {
        assert.ok(file.subarray(from, to).equals(await joined(car.stream(from, to))), `${from} to ${to}`);
      }
    }
    assert.equal(await blocks.carOf('bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi'), undefined);
  });
});

/** The shard's UnixFS file: its blocks, which are all that is raw in its CAR. */
function fileIn(car: Buffer): Buffer {
  const sections = car.subarray(CAR_HEADER_BYTES);
  const cursor = new SectionCursor(sections);
  const blocks: Buffer[] = [];
  while (cursor.next()) if (cursor.codec === RAW) blocks.push(sections.subarray(cursor.dataAt, cursor.end));
  return Buffer.concat(blocks);
}

test('a shard streams as its UnixFS file, whole and in ranges, also where one peer has it damaged', { skip: sample() }, async () => {
  await made.opened(async (opened) => {
    const { blocks, home } = opened;
    const held = await everythingIn(opened);
    for (const cid of new Set(held.map((it) => it.cid))) {
      const file = fileIn(readFileSync(carPath(home, 'a', cid)));
      for (const isDamaged of [false, true]) {
        const [some] = held.filter((it) => it.cid === cid);
        if (isDamaged) damageBlock(carPath(home, 'a', cid), some?.digest ?? assert.fail());
        const car = (await blocks.carOf(cid)) ?? assert.fail();
        const { length } = file;
        const middle = length >> 1;
        for (const [from, to] of [
          ...[0, 1, middle, length - 1].map((at) => [at, at + 1] as const),
          [0, length],
          [1, length],
          [middle, middle + 3000],
          [5, 5],
        ] as const) {
          const end = Math.min(to, length);
          assert.ok(file.subarray(from, end).equals(await joined(car.file(from, end))), `${from} to ${end} of ${cid}`);
        }
      }
      damageBlock(carPath(home, 'a', cid), held.find((it) => it.cid === cid)?.digest ?? assert.fail());
    }
  });
});

test('what is damaged on one peer comes from the other: blocks and whole shards, and it is told once', { skip: sample() }, async () => {
  await made.opened(async (opened) => {
    const { blocks, index, home, trouble } = opened;
    const [shard] = index.shards();
    const held = (await everythingIn(opened)).filter(({ cid }) => cid === shard?.cid);
    const [first, , third] = held as [HeldBlock, HeldBlock, HeldBlock];
    const whole = readFileSync(carPath(home, 'a', first.cid));
    damageBlock(carPath(home, 'a', first.cid), first.digest);
    damageBlock(carPath(home, 'b', first.cid), third.digest);
    for (let round = 0; round < 2; round++)
      for (const { digest } of held) assert.deepEqual(Buffer.from(sha256(await blocks.read(digest))), Buffer.from(digest));
    assert.ok(whole.equals(await joined((await blocks.carOf(first.cid))?.stream() as AsyncIterable<Buffer>)));
    assert.deepEqual(trouble.length, 1, trouble.join('\n'));
    damageBlock(carPath(home, 'b', first.cid), first.digest);
  });
});

test('a shard that is damaged everywhere is streamed up to there, and never as if it were good', { skip: sample() }, async () => {
  await made.opened(async (opened) => {
    const { blocks, index, home } = opened;
    const [shard] = index.shards();
    const held = (await everythingIn(opened)).filter(({ cid }) => cid === shard?.cid);
    const bad = held[0] as HeldBlock;
    for (const peer of ['a', 'b']) damageBlock(carPath(home, peer, bad.cid), bad.digest);
    const car = await blocks.carOf(bad.cid);
    assert.ok(car);
    await assert.rejects(joined(car.stream()), { code: 'DAMAGE' });
    const { length } = fileIn(readFileSync(carPath(home, 'a', bad.cid)));
    await assert.rejects(joined(car.file(0, length)), { code: 'DAMAGE' });
    await assert.rejects(blocks.read(bad.digest), { code: 'DAMAGE', message: /a: .*b: / });
  });
});

test('a CAR that was cut or is gone counts as one replica less', { skip: sample() }, async () => {
  await made.opened(async (opened) => {
    const { blocks, home, trouble } = opened;
    const held = await everythingIn(opened);
    const cids = [...new Set(held.map(({ cid }) => cid))];
    for (const [at, cid] of cids.entries()) {
      if (at % 2 === 0) rmSync(carPath(home, 'a', cid));
      else truncateSync(carPath(home, 'a', cid), 1000);
    }
    for (const { digest } of held) assert.deepEqual(Buffer.from(sha256(await blocks.read(digest))), Buffer.from(digest));
    assert.ok(trouble.length >= cids.length);
  });
});

test('what repair has mended is read there again, although the damaged file was open', { skip: sample() }, async () => {
  await made.opened(async (opened) => {
    const { index, home } = opened;
    let now = 0;
    const replicas = new Replicas({ peers: home.peers, now: () => now });
    const blocks = new StoredBlocks({ index, replicas });
    const first = (await everythingIn(opened)).find(({ length }) => length < 1000) as HeldBlock;
    const path = carPath(home, 'a', first.cid);
    const good = readFileSync(path);
    await blocks.read(first.digest);
    damageBlock(path, first.digest);
    await blocks.read(first.digest);
    writeFileSync(`${path}.new`, good);
    renameSync(`${path}.new`, path);
    rmSync(carPath(home, 'b', first.cid));
    now += 60_000;
    for (const when of ['mended', 'read again']) {
      assert.deepEqual(Buffer.from(sha256(await blocks.read(first.digest))), Buffer.from(first.digest));
      if (when === 'read again') assert.ok(blocks.readNow(first.digest), 'at once, from the new file');
    }
    await replicas.close();
  });
});

test('a block whose shard was pruned meanwhile is told from damage, and found where it is now', { skip: sample() }, async () => {
  const program = new Program();
  const dir = join(program.dir, 'source');
  mkdirSync(dir);
  const write = (what: string, every: number) => {
    for (let i = 0; i < 40; i++) if (i % every !== 0) writeFileSync(join(dir, `f${i}`), Buffer.alloc(3000, `${what} ${i} `));
  };
  try {
    write('file', Number.POSITIVE_INFINITY);
    writeFileSync(join(dir, 'f0'), Buffer.alloc(3000, 'file 0 '));
    program.succeeds('add', dir, '--name', 'test', '--shard-size', '1MiB');
    const peers = TestHome.at(program.home, ['local']).peers;
    const trouble: string[] = [];
    const replicas = new Replicas({ peers, onTrouble: (message) => trouble.push(message) });
    const open = async () => {
      const index = await Index.open(join(program.home, 'index'), { readOnly: true });
      return { index, blocks: new StoredBlocks({ index, replicas }) };
    };
    const kept = (index: Index) => sha256(index === undefined ? Buffer.alloc(0) : Buffer.alloc(3000, 'file 0 '));
    const old = await open();
    const before = await old.blocks.placeOf(kept(old.index));
    assert.ok(before);
    write('other', 3);
    program.succeeds('update', 'test');
    program.succeeds('forget', 'test', '--keep-last', '1');
    program.succeeds('prune', '--max-unused', '0');
    assert.ok(!existsSync(join(program.home, 'peers', 'local', 'shards', before.cid.slice(-3, -1), `${before.cid}.car`)), 'repacked');
    await assert.rejects(old.blocks.read(kept(old.index)), MovedBlock);
    const now = await open();
    assert.ok((await now.blocks.read(kept(now.index))).length > 0);
    assert.notEqual((await now.blocks.placeOf(kept(now.index)))?.cid, before.cid);
    assert.deepEqual(trouble, []);
    await replicas.close();
    for (const { blocks, index } of [old, now]) {
      await blocks.close();
      await index.close();
    }
  } finally {
    program.dispose();
  }
});

test('in layout blockstore there are no extents, and every block is there all the same', { skip: sample() }, async () => {
  const stored = await StoredHome.make(['a'], 'blockstore', 20);
  try {
    await stored.opened(async (opened) => {
      const { blocks } = opened;
      const held = await everythingIn(opened);
      for (const { digest } of held) assert.deepEqual(Buffer.from(sha256(await blocks.read(digest))), Buffer.from(digest));
      const cid = held[0]?.cid ?? '';
      assert.equal(await blocks.extentOf(parseCid(cid).digest), undefined);
      const bytes = await joined((await blocks.carOf(cid))?.stream() as AsyncIterable<Buffer>);
      assert.equal(bytes.length, (await blocks.carOf(cid))?.carBytes);
    });
  } finally {
    stored.remove();
  }
});
