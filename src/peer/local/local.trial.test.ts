import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { FsBlockstore } from 'blockstore-fs';
import { NextToLast } from 'blockstore-fs/sharding';
import { CID } from 'multiformats/cid';
import { create as createDigest } from 'multiformats/hashes/digest';
import { sha256 } from '../../dag/cid.ts';
import { peerContract } from '../../testing/contract/contract.ts';
import { KuboRepo, requireKubo } from '../../testing/kubo.ts';
import { OTHER_OWNER, TEST_OWNER } from '../../testing/owner.ts';
import { blockOf, makeBlocks, makeShard, type TestShard } from '../../testing/shards.ts';
import { LocalPeer } from './local.ts';

const never = new AbortController().signal;
const keep = { mayConsume: false, signal: never };

function carIn(peerDir: string, shard: TestShard): string {
  return join(peerDir, 'shards', shard.cid.slice(-3, -1), `${shard.cid}.car`);
}

function blockIn(peerDir: string, block: Uint8Array, codec = 0x55): string {
  const { dir, file } = new NextToLast().encode(CID.createV1(codec, createDigest(0x12, sha256(block))));
  return join(peerDir, 'blocks', dir, file);
}

function change(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
  writeFileSync(path, bytes);
}

peerContract('local, one CAR a shard', async (dir) => {
  const path = join(dir, 'peer');
  return {
    peer: await LocalPeer.create({ owner: TEST_OWNER, name: 'disk1', path, layout: 'car' }),
    other: new LocalPeer({ owner: OTHER_OWNER, name: 'shared', path, layout: 'car' }),
    flip: async (shard, block) => {
      const at = readFileSync(carIn(path, shard)).indexOf(block);
      change(carIn(path, shard), at + (block.length >> 1));
    },
    cut: async (shard, block) => truncateSync(carIn(path, shard), readFileSync(carIn(path, shard)).indexOf(block) + 1),
  };
});

peerContract('local, blockstore-fs', async (dir) => {
  const path = join(dir, 'peer');
  return {
    peer: await LocalPeer.create({ owner: TEST_OWNER, name: 'disk1', path, layout: 'blockstore' }),
    other: new LocalPeer({ owner: OTHER_OWNER, name: 'shared', path, layout: 'blockstore' }),
    flip: async (_shard, block) => change(blockIn(path, block), block.length >> 1),
    cut: async (_shard, block) => truncateSync(blockIn(path, block), 1),
  };
});

describe('local peer', () => {
  let dir: string;
  before(() => {
    dir = mkdtempSync(join(tmpdir(), 'shardctl-local-'));
  });
  after(() => rmSync(dir, { recursive: true, force: true }));

  test('every byte that is copied passes the limit, and what is moved on its disk does not', async () => {
    for (const layout of ['car', 'blockstore'] as const) {
      const peer = await LocalPeer.create({ owner: TEST_OWNER, name: layout, path: join(dir, `limited-${layout}`), layout });
      const shard = makeShard(dir, makeBlocks(40, 30_000, 77));
      let passed = 0;
      const throttle = async (bytes: number) => {
        passed += bytes;
      };
      await peer.put(shard, { ...keep, throttle });
      assert.ok(passed >= shard.bytes && passed <= shard.carBytes, `${layout}: ${passed} of ${shard.bytes}`);
      if (layout === 'blockstore') continue;
      const moved = makeShard(dir, makeBlocks(40, 30_000, 78));
      passed = 0;
      await peer.put(moved, { mayConsume: true, signal: never, throttle });
      assert.equal(passed, 0);
    }
  });

  test('a CAR that may be consumed is moved, not copied, and nothing stays in tmp', async () => {
    const path = join(dir, 'moved');
    const peer = await LocalPeer.create({ owner: TEST_OWNER, name: 'disk1', path, layout: 'car' });
    const shard = makeShard(dir, makeBlocks(10, 4000));
    const { ino } = statSync(shard.carPath);
    await peer.put(shard, { mayConsume: true, signal: never });
    assert.equal(existsSync(shard.carPath), false);
    assert.equal(statSync(carIn(path, shard)).ino, ino);
    assert.deepEqual(readdirSync(join(path, 'tmp')), []);
  });

  test('a peer whose directory is gone is named with a hint, and never made again', async () => {
    const path = join(dir, 'unmounted');
    const options = { owner: TEST_OWNER, name: 'disk7', path, layout: 'car' } as const;
    await LocalPeer.create(options);
    renameSync(path, `${path}.elsewhere`);
    mkdirSync(path);
    const shard = makeShard(dir, makeBlocks(3, 100));
    const peer = new LocalPeer(options);
    for (const use of [() => peer.metric(), () => peer.put(shard, keep), () => peer.has(shard.cid)]) {
      await assert.rejects(use, (error: Error & { code?: string; hint?: string }) => {
        assert.equal(error.code, 'TOO_FEW_PEERS');
        assert.match(error.message, /disk7.*unmounted\/peer\.json/);
        assert.match(error.hint ?? '', /mounted/);
        return true;
      });
    }
    assert.deepEqual(readdirSync(path), []);
    rmSync(path, { recursive: true });
    renameSync(`${path}.elsewhere`, path);
    assert.ok((await peer.metric()).freeBytes > 0, 'once it is mounted again, the same peer object works');
  });

  test('a shard over the capacity is refused with what is free and needed, before any byte is copied', async () => {
    const path = join(dir, 'small');
    const peer = await LocalPeer.create({ owner: TEST_OWNER, name: 'disk1', path, layout: 'car', capacity: 30_000 });
    const first = makeShard(dir, [Buffer.alloc(20_000, 1)]);
    const second = makeShard(dir, [Buffer.alloc(20_000, 2)]);
    await peer.put(first, keep);
    const { freeBytes } = await peer.metric();
    assert.equal(freeBytes, 30_000 - first.carBytes);
    await assert.rejects(peer.put(second, keep), {
      code: 'NO_SPACE',
      message: new RegExp(`"disk1" has ${freeBytes} .* ${second.carBytes}`),
    });
    assert.deepEqual(readdirSync(join(path, 'tmp')), []);
    await peer.remove(first.cid);
    await peer.put(second, keep);
  });

  test('two shards put at once share the capacity: only one fits', async () => {
    for (const layout of ['car', 'blockstore'] as const) {
      const peer = await LocalPeer.create({
        owner: TEST_OWNER,
        name: 'disk1',
        path: join(dir, `both-${layout}`),
        layout,
        capacity: 30_000,
      });
      const shards = [makeShard(dir, [Buffer.alloc(20_000, 1)]), makeShard(dir, [Buffer.alloc(20_000, 2)])];
      const results = await Promise.allSettled(shards.map((shard) => peer.put(shard, keep)));
      assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1, layout);
    }
  });

  test('used bytes are those of all shards that are there when the peer is opened', async () => {
    for (const layout of ['car', 'blockstore'] as const) {
      const options = { owner: TEST_OWNER, name: 'disk1', path: join(dir, `used-${layout}`), layout };
      const peer = await LocalPeer.create(options);
      const shards = [1, 2, 3].map((seed) => makeShard(dir, makeBlocks(5, 3000, seed)));
      await Promise.all(shards.map((shard) => peer.put(shard, keep)));
      const bytes = shards.reduce((sum, shard) => sum + shard.carBytes, 0);
      assert.equal((await peer.metric()).usedBytes, bytes, layout);
      assert.equal((await new LocalPeer(options).metric()).usedBytes, bytes, layout);
    }
  });

  test('missing folders of a peer are made again by the next write, and never without its peer.json', async () => {
    for (const [layout, folders] of [
      ['car', ['tmp', 'owners', 'shards']],
      ['blockstore', ['owners', 'pins', 'blocks']],
    ] as const) {
      const options = { owner: TEST_OWNER, name: 'disk1', path: join(dir, `bare-${layout}`), layout };
      await LocalPeer.create(options);
      const shard = makeShard(dir, makeBlocks(3, 3000));
      for (const folder of folders) rmSync(join(options.path, folder), { recursive: true });
      const peer = new LocalPeer(options);
      await peer.put(shard, keep);
      assert.ok(await peer.has(shard.cid));
      const unmounted = new LocalPeer(options);
      await unmounted.id();
      rmSync(options.path, { recursive: true });
      mkdirSync(options.path);
      await assert.rejects(unmounted.mark([shard.cid]), { code: 'TOO_FEW_PEERS' });
      assert.deepEqual(readdirSync(options.path), []);
    }
  });

  test('what a dead run left in tmp is removed, what another run is writing stays', async () => {
    const path = join(dir, 'leftovers');
    await LocalPeer.create({ owner: TEST_OWNER, name: 'disk1', path, layout: 'car' });
    const [dead, alive] = [`${randomUUID()}.car`, `${randomUUID()}.car`].map((name) => join(path, 'tmp', name)) as [string, string];
    writeFileSync(dead, 'x');
    writeFileSync(alive, 'x');
    const hourAgo = statSync(alive).mtimeMs / 1000 - 3600;
    utimesSync(dead, hourAgo, hourAgo);
    const peer = new LocalPeer({ owner: TEST_OWNER, name: 'disk1', path, layout: 'car' });
    await peer.put(makeShard(dir, makeBlocks(3, 100)), keep);
    assert.deepEqual(readdirSync(join(path, 'tmp')), [basename(alive)]);
  });

  test('a peer keeps its identity when it is set up again, and its layout cannot change', async () => {
    const path = join(dir, 'again');
    const peer = await LocalPeer.create({ owner: TEST_OWNER, name: 'a', path, layout: 'car' });
    assert.equal(await (await LocalPeer.create({ owner: TEST_OWNER, name: 'b', path, layout: 'car' })).id(), await peer.id());
    await assert.rejects(LocalPeer.create({ owner: TEST_OWNER, name: 'c', path, layout: 'blockstore' }), { code: 'BAD_CONFIG' });
  });

  test('every single changed byte outside the blocks of a CAR is found', async () => {
    const path = join(dir, 'frames');
    const peer = await LocalPeer.create({ owner: TEST_OWNER, name: 'disk1', path, layout: 'car' });
    const shard = makeShard(dir, makeBlocks(3, 30));
    await peer.put(shard, keep);
    for (let at = 0; at < shard.carBytes; at++) {
      change(carIn(path, shard), at);
      let findings = 0;
      try {
        const reader = await peer.open(shard.cid);
        for await (const _ of reader.scan(() => findings++));
        await reader.close();
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'DAMAGE', `byte ${at}: ${error}`);
        findings++;
      }
      assert.equal(findings, 1, `byte ${at}`);
      change(carIn(path, shard), at);
    }
  });

  test('a manifest larger than the first read at the tail is found', async () => {
    const peer = await LocalPeer.create({ owner: TEST_OWNER, name: 'disk1', path: join(dir, 'large'), layout: 'car' });
    const shard = makeShard(dir, makeBlocks(9000, 16));
    await peer.put(shard, keep);
    const reader = await peer.open(shard.cid);
    assert.equal(reader.blocks, 9000);
    for (const index of [0, 4500, 8999]) assert.ok(await reader.read(sha256(blockOf(shard, index))));
    await reader.close();
  });

  test('a reader that was closed reads no other file by mistake', async () => {
    const peer = await LocalPeer.create({ owner: TEST_OWNER, name: 'disk1', path: join(dir, 'closed'), layout: 'car' });
    const shard = makeShard(dir, makeBlocks(3, 100));
    await peer.put(shard, keep);
    const reader = await peer.open(shard.cid);
    await reader.close();
    await reader.close();
    await assert.rejects(reader.read(sha256(blockOf(shard, 0))));
  });

  test('the stored CARs go into Kubo as they are; pinned, their blocks survive its garbage collection', (t) => {
    if (!requireKubo(t)) return;
    const kubo = KuboRepo.init(join(dir, 'kubo'));
    const shard = makeShard(dir, [...makeBlocks(1200, 100), Buffer.alloc(0)]);
    kubo.run(['dag', 'import', '--pin-roots=true', shard.carPath]);
    kubo.run(['repo', 'gc']);
    assert.deepEqual(kubo.run(['cat', `/ipfs/${shard.cid}`]), Buffer.concat(shard.data));
  });

  test('blockstore-fs itself finds a block under its raw alias and under its real CID', async () => {
    const path = join(dir, 'library');
    const peer = await LocalPeer.create({ owner: TEST_OWNER, name: 'disk1', path, layout: 'blockstore' });
    const node = Buffer.from('0a020801', 'hex'); // an empty UnixFS directory
    const shard = makeShard(dir, [node, Buffer.from('data')]);
    await peer.put(shard, keep);
    const library = new FsBlockstore(join(path, 'blocks'));
    await library.open();
    for (const codec of [0x55, 0x70]) {
      const parts: Uint8Array[] = [];
      for await (const part of library.get(CID.createV1(codec, createDigest(0x12, sha256(node))))) parts.push(part);
      assert.deepEqual(Buffer.concat(parts), node);
    }
    await library.close();
  });

  test('removing the last shard that needs a block removes its file', async () => {
    const path = join(dir, 'emptied');
    const peer = await LocalPeer.create({ owner: TEST_OWNER, name: 'disk1', path, layout: 'blockstore' });
    const shards = [makeShard(dir, makeBlocks(10, 100)), makeShard(dir, makeBlocks(20, 100))];
    for (const shard of shards) await peer.put(shard, keep);
    for (const shard of shards) await peer.remove(shard.cid);
    const files = readdirSync(join(path, 'blocks'), { recursive: true }).filter((file) => String(file).endsWith('.data'));
    assert.deepEqual(files, []);
  });
});
