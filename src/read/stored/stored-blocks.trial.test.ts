import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { DIGEST_BYTES } from '../../core/model.ts';
import { parseCid, sha256 } from '../../dag/cid.ts';
import { Index } from '../../index/index.ts';
import type { Peer } from '../../peer/peer.ts';
import { Program } from '../../testing/program.ts';
import { SHARD_BYTES } from '../../testing/retention.ts';
import { TestHome } from '../../testing/run.ts';
import { UnlistedBlock } from '../blocks/block-source.ts';
import { CarLayout } from './car-layout.ts';
import { Replicas, type ReplicasOptions } from './replicas.ts';
import { MovedBlock, StoredBlocks } from './stored-blocks.ts';

/** More than a node of a manifest links, so that there are nodes between root and leaves. */
const MANY = 1_500;

let source: string;
let made: TestHome;

before(async () => {
  source = mkdtempSync(join(tmpdir(), 'shardctl-source-'));
  mkdirSync(join(source, 'many'));
  for (let i = 0; i < MANY; i++) writeFileSync(join(source, 'many', `${i}`), `file ${i}`);
  for (let i = 0; i < 8; i++) writeFileSync(join(source, `large${i}`), Buffer.alloc(90_000, `large ${i} `));
  made = await TestHome.create({ a: {}, b: {} });
  const options = { replication: { min: 2, max: 2 }, shardBytes: 4 * SHARD_BYTES };
  await made.add(source, options);
  writeFileSync(join(source, 'new'), 'a file of the second snapshot');
  await made.add(source, options);
});
after(() => {
  made.remove();
  rmSync(source, { recursive: true, force: true });
});

interface Opened {
  readonly index: Index;
  readonly replicas: Replicas;
  readonly blocks: StoredBlocks;
  readonly trouble: string[];
  readonly home: TestHome;
  readonly cache: string;
}

/** Opens a copy of the home, which the test may damage. */
async function withHome(work: (opened: Opened) => Promise<void>, from = made, more: Partial<ReplicasOptions> = {}): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'shardctl-stored-'));
  const { cpSync } = await import('node:fs');
  cpSync(from.dir, dir, { recursive: true });
  const home = TestHome.at(dir, [...from.peers.keys()]);
  const trouble: string[] = [];
  const cache = join(dir, 'cache');
  const index = await Index.open(join(dir, 'index'), { readOnly: true });
  const replicas = new Replicas({ peers: home.peers, cache, onTrouble: (message) => trouble.push(message), ...more });
  const blocks = new StoredBlocks({ index, replicas });
  try {
    await work({ index, replicas, blocks, trouble, home, cache });
  } finally {
    await blocks.close();
    await replicas.close();
    await index.close();
    home.remove();
  }
}

interface Held {
  readonly digest: Uint8Array;
  readonly cid: string;
  readonly length: number;
}

/** Everything that is in the shards and catalogues of all snapshots, with the nodes of their manifests. */
async function everything(index: Index, peers: ReadonlyMap<string, Peer>): Promise<Held[]> {
  const held: Held[] = [];
  const holdings = index.snapshots('test').flatMap(({ shards, catalogue }) => [...shards.map((number) => index.shard(number)), catalogue]);
  for (const cid of new Set(holdings.map((holding) => holding?.cid ?? ''))) {
    const reader = await (peers.get('a') as Peer).open(cid);
    const layout = await CarLayout.of(cid, reader.contents());
    for (let section = 0; section < layout.sections; section++)
      held.push({ digest: Buffer.from(layout.digestOf(section)), cid, length: layout.lengthOf(section) });
    await reader.close();
  }
  return held;
}

async function collect(pieces: AsyncIterable<Buffer>): Promise<Buffer> {
  const all: Buffer[] = [];
  for await (const piece of pieces) all.push(piece);
  return Buffer.concat(all);
}

const carOf = (home: TestHome, peer: string, cid: string) => join(home.dir, 'peers', peer, 'shards', cid.slice(-3, -1), `${cid}.car`);

/** Changes a byte of the block in the CAR of a peer. */
function damage(path: string, digest: Uint8Array): void {
  const bytes = readFileSync(path);
  const at = bytes.indexOf(digest) + DIGEST_BYTES;
  bytes[at] = (bytes[at] as number) ^ 1;
  writeFileSync(path, bytes);
}

test('every block of shards, manifests and catalogues of all snapshots is there by its digest, with its size and place', async () => {
  await withHome(async ({ index, home, blocks, trouble, cache }) => {
    const held = await everything(index, home.peers);
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

test('a block that the home does not know is said to be unknown, and no peer is asked a second time', async () => {
  await withHome(async ({ blocks, index, replicas, home }) => {
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

test('a shard streams as its CAR, byte for byte, whole and in ranges, and a catalogue, too', async () => {
  await withHome(async ({ blocks, index, home }) => {
    for (const cid of new Set((await everything(index, home.peers)).map((held) => held.cid))) {
      const file = readFileSync(carOf(home, 'a', cid));
      const car = await blocks.carOf(cid);
      assert.equal(car?.carBytes, file.length);
      assert.ok(file.equals(await collect(car.stream())));
      for (const [from, to] of [
        [0, 1],
        [10, 200],
        [file.length >> 1, (file.length >> 1) + 3000],
        [file.length - 5, file.length],
        [file.length >> 2, file.length],
      ] as const) {
        assert.ok(file.subarray(from, to).equals(await collect(car.stream(from, to))), `${from} to ${to}`);
      }
    }
    assert.equal(await blocks.carOf('bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi'), undefined);
  });
});

test('what is damaged on one peer comes from the other: blocks and whole shards, and it is told once', async () => {
  await withHome(async ({ blocks, index, home, trouble }) => {
    const [shard] = index.shards();
    const held = (await everything(index, home.peers)).filter(({ cid }) => cid === shard?.cid);
    const [first, , third] = held as [Held, Held, Held];
    const whole = readFileSync(carOf(home, 'a', first.cid));
    damage(carOf(home, 'a', first.cid), first.digest);
    damage(carOf(home, 'b', first.cid), third.digest);
    for (let round = 0; round < 2; round++)
      for (const { digest } of held) assert.deepEqual(Buffer.from(sha256(await blocks.read(digest))), Buffer.from(digest));
    assert.ok(whole.equals(await collect((await blocks.carOf(first.cid))?.stream() as AsyncIterable<Buffer>)));
    assert.deepEqual(trouble.length, 1, trouble.join('\n'));
    damage(carOf(home, 'b', first.cid), first.digest);
  });
});

test('a shard that is damaged everywhere is streamed up to there, and never as if it were good', async () => {
  await withHome(async ({ blocks, index, home }) => {
    const [shard] = index.shards();
    const held = (await everything(index, home.peers)).filter(({ cid }) => cid === shard?.cid);
    const bad = held[0] as Held;
    for (const peer of ['a', 'b']) damage(carOf(home, peer, bad.cid), bad.digest);
    const car = await blocks.carOf(bad.cid);
    assert.ok(car);
    await assert.rejects(collect(car.stream()), { code: 'DAMAGE' });
    await assert.rejects(blocks.read(bad.digest), { code: 'DAMAGE', message: /a: .*b: / });
  });
});

test('a CAR that was cut or is gone counts as one replica less', async () => {
  await withHome(async ({ blocks, index, home, trouble }) => {
    const held = await everything(index, home.peers);
    const cids = [...new Set(held.map(({ cid }) => cid))];
    for (const [at, cid] of cids.entries()) {
      if (at % 2 === 0) rmSync(carOf(home, 'a', cid));
      else truncateSync(carOf(home, 'a', cid), 1000);
    }
    for (const { digest } of held) assert.deepEqual(Buffer.from(sha256(await blocks.read(digest))), Buffer.from(digest));
    assert.ok(trouble.length >= cids.length);
  });
});

test('a block whose shard was pruned meanwhile is told from damage, and found where it is now', async () => {
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

describe('the files of offsets', () => {
  const harm: Record<string, (path: string, others: readonly string[]) => void> = {
    'that are torn': (path) => truncateSync(path, 5000),
    'that are empty': (path) => truncateSync(path, 0),
    'with a byte changed': (path) => {
      const bytes = readFileSync(path);
      bytes[100] = (bytes[100] as number) ^ 0x55;
      writeFileSync(path, bytes);
    },
    'of another shard': (path, others) => writeFileSync(path, readFileSync(others.find((other) => other !== path) as string)),
    'that were deleted': (path) => rmSync(path),
  };
  for (const [what, change] of Object.entries(harm)) {
    test(`${what} lead to no wrong block, and are made again`, async () => {
      await withHome(async ({ index, home, blocks, cache, trouble }) => {
        const held = await everything(index, home.peers);
        const [first] = held.map(({ cid }) => cid);
        await blocks.read(held[0]?.digest as Uint8Array);
        await blocks.read(held.find(({ cid }) => cid !== first)?.digest as Uint8Array);
        const folder = join(cache, 'offsets');
        const paths = readdirSync(folder).map((name) => join(folder, name));
        const good = new Map(paths.map((path) => [path, readFileSync(path)]));
        for (const path of paths) change(path, paths);
        const replicas = new Replicas({ peers: home.peers, cache });
        const again = new StoredBlocks({ index, replicas });
        for (const { digest } of held) assert.deepEqual(Buffer.from(sha256(await again.read(digest))), Buffer.from(digest));
        for (const [path, bytes] of good) assert.ok(bytes.equals(readFileSync(path)), path);
        await replicas.close();
        assert.deepEqual(trouble, []);
      });
    });
  }

  test('are kept in memory where no file can be written', async () => {
    await withHome(async ({ index, home, cache }) => {
      writeFileSync(cache, 'a file where the directory would be');
      const replicas = new Replicas({ peers: home.peers, cache });
      const blocks = new StoredBlocks({ index, replicas });
      for (const { digest } of await everything(index, home.peers)) {
        await blocks.read(digest);
        assert.ok(blocks.extentNow(digest));
      }
      await replicas.close();
    });
  });
});

test('in layout blockstore there are no extents, and every block is there all the same', async () => {
  const home = await TestHome.create({ a: {} }, 'blockstore');
  try {
    await home.add(source, { shardBytes: 4 * SHARD_BYTES });
    const index = await Index.open(join(home.dir, 'index'), { readOnly: true });
    const replicas = new Replicas({ peers: home.peers });
    const blocks = new StoredBlocks({ index, replicas });
    const held = await everything(index, home.peers);
    for (const { digest } of held) assert.deepEqual(Buffer.from(sha256(await blocks.read(digest))), Buffer.from(digest));
    const cid = held[0]?.cid ?? '';
    assert.equal(await blocks.extentOf(parseCid(cid).digest), undefined);
    const bytes = await collect((await blocks.carOf(cid))?.stream() as AsyncIterable<Buffer>);
    assert.equal(bytes.length, (await blocks.carOf(cid))?.carBytes);
    await blocks.close();
    await replicas.close();
    await index.close();
  } finally {
    home.remove();
  }
});
