/** What a local peer still reads of a CAR that is damaged. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { RAW } from '../../core/model.ts';
import { sha256 } from '../../dag/cid.ts';
import { carHeader, sectionHeaderBytes, writeSectionHeader } from '../../shard/car.ts';
import { LINKS_OF_MANIFESTS } from '../../shard/manifest.ts';
import { TEST_OWNER } from '../../testing/owner.ts';
import { makeBlocks, makeShard, type TestShard } from '../../testing/shards.ts';
import { LocalPeer } from './local.ts';

const keep = { mayConsume: false, signal: new AbortController().signal };

let dir: string;
before(() => {
  dir = mkdtempSync(join(tmpdir(), 'shardctl-damage-'));
});
after(() => rmSync(dir, { recursive: true, force: true }));

function carIn(peerDir: string, shard: TestShard): string {
  return join(peerDir, 'shards', shard.cid.slice(-3, -1), `${shard.cid}.car`);
}

function change(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
  writeFileSync(path, bytes);
}

test('a CAR cut anywhere is damage, never a shorter shard; every block before the cut can be read', async () => {
  const path = join(dir, 'cuts');
  const peer = await LocalPeer.create({ owner: TEST_OWNER, name: 'disk1', path, layout: 'car' });
  const shard = makeShard(dir, makeBlocks(3, 30));
  await peer.put(shard, keep);
  const car = readFileSync(carIn(path, shard));
  for (let length = shard.carBytes - 1; length >= 0; length--) {
    truncateSync(carIn(path, shard), length);
    const whole = shard.data.filter((block) => length >= car.indexOf(block) + block.length);
    if (whole.length < shard.data.length) await assert.rejects(peer.open(shard.cid), { code: 'DAMAGE' }, `${length} bytes`);
    const reader = await (whole.length < shard.data.length ? peer.salvage(shard.cid) : peer.open(shard.cid));
    assert.equal(reader.blocks, whole.length, `${length} bytes`);
    assert.ok(reader.damage);
    for (const block of shard.data) {
      assert.deepEqual(await reader.read(sha256(block)), whole.includes(block) ? Buffer.from(block) : undefined, `${length} bytes`);
    }
    await reader.close();
  }
});

test('one flipped byte anywhere in a CAR costs at most the block that it is in', async () => {
  const path = join(dir, 'flips');
  const peer = await LocalPeer.create({ owner: TEST_OWNER, name: 'disk1', path, layout: 'car' });
  const shard = makeShard(dir, makeBlocks(3, 30));
  await peer.put(shard, keep);
  const car = readFileSync(carIn(path, shard));
  for (let at = 0; at < shard.carBytes; at++) {
    change(carIn(path, shard), at);
    const reader = await peer.open(shard.cid);
    for (const block of shard.data) {
      const isHit = at >= car.indexOf(block) && at < car.indexOf(block) + block.length;
      if (isHit) await assert.rejects(reader.read(sha256(block)), { code: 'DAMAGE' });
      else assert.deepEqual(await reader.read(sha256(block)), Buffer.from(block), `byte ${at}`);
    }
    assert.equal(reader.contents().carBytes, shard.carBytes);
    await reader.close();
    change(carIn(path, shard), at);
  }
});

test('what is left of a CAR is found however many places are damaged', async () => {
  const path = join(dir, 'salvage');
  const peer = await LocalPeer.create({ owner: TEST_OWNER, name: 'disk1', path, layout: 'car' });
  // Blocks that look like sections, also ones that reach beyond a window.
  const blocks = [
    ...makeBlocks(40, 100),
    ...makeBlocks(6, 1024 * 1024),
    Buffer.alloc(0),
    carHeader({ codec: RAW, digest: sha256(Buffer.from('x')) }),
  ];
  const inner = Buffer.alloc(200);
  writeSectionHeader(inner, 10, RAW, sha256(Buffer.from('x')), 0, 100);
  const shard = makeShard(dir, [...blocks, inner]);
  await peer.put(shard, keep);
  const car = readFileSync(carIn(path, shard));
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(shard.carBytes - 1), { minLength: 1, maxLength: 20 }), async (places) => {
      const damaged = Buffer.from(car);
      for (const at of places) damaged.writeUInt8(damaged.readUInt8(at) ^ 0x10, at);
      writeFileSync(carIn(path, shard), damaged);
      const reader = await peer.salvage(shard.cid);
      for (const block of shard.data) {
        const at = car.indexOf(Buffer.concat([sha256(block), block]));
        const head = sectionHeaderBytes(block.length) - 32;
        const isHit = places.some((place) => place >= at - head && place < at + 32 + block.length);
        const read = await reader.read(sha256(block)).catch(() => undefined);
        if (!isHit) assert.deepEqual(read, Buffer.from(block));
        else if (read !== undefined) assert.deepEqual(read, Buffer.from(block));
      }
      await reader.close();
    }),
    { numRuns: 40 },
  );
});

for (const links of LINKS_OF_MANIFESTS) {
  test(`a shard whose manifest cannot be read, with nodes of ${links} links, is made whole again from its blocks`, async () => {
    const path = join(dir, `links-${links}`);
    const peer = await LocalPeer.create({ owner: TEST_OWNER, name: 'disk1', path, layout: 'car' });
    const shard = makeShard(dir, makeBlocks(1500, 20), links);
    await peer.put(shard, keep);
    // In its last node, the root.
    change(carIn(path, shard), shard.carBytes - 1);
    const reader = await peer.open(shard.cid);
    assert.ok(reader.damage);
    assert.equal(reader.contents().carBytes, shard.carBytes);
    assert.deepEqual(reader.contents().digests, Buffer.concat(shard.data.map(sha256)));
    await reader.close();
  });
}
