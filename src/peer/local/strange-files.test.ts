/** What whoever shares a local peer may put in the place of its files: it holds up nobody, and costs no more than what it replaces. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import {
  lstatSync,
  lutimesSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { NextToLast } from 'blockstore-fs/sharding';
import { CID } from 'multiformats/cid';
import { create as createDigest } from 'multiformats/hashes/digest';
import { sha256 } from '../../dag/cid.ts';
import { TEST_OWNER } from '../../testing/owner.ts';
import { cidsOf, scanOf } from '../../testing/peer-reading.ts';
import { blockOf, makeBlocks, makeShard, type TestShard } from '../../testing/shards.ts';
import { putStrange, STRANGE, type Strange } from '../../testing/strange-files.ts';
import type { PeerLayout } from './directory/identity.ts';
import { LocalPeer } from './local.ts';

const keep = { mayConsume: false, signal: new AbortController().signal };
/** A directory cannot be replaced by a file: putting the shard again says so. */
const REPLACED = STRANGE.filter((kind) => kind !== 'directory');

let dir: string;
let path: string;
let shard: TestShard;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'shardctl-strange-'));
  path = join(dir, 'peer');
  shard = makeShard(dir, makeBlocks(3, 100));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

async function peerWith(layout: PeerLayout, ...shards: readonly TestShard[]): Promise<LocalPeer> {
  await LocalPeer.create({ owner: TEST_OWNER, name: 'disk', path, layout });
  const peer = new LocalPeer({ owner: TEST_OWNER, name: 'disk', path, layout });
  for (const one of shards) await peer.put(one, keep);
  return new LocalPeer({ owner: TEST_OWNER, name: 'disk', path, layout });
}

function carOf({ cid }: TestShard): string {
  return join(path, 'shards', cid.slice(-3, -1), `${cid}.car`);
}

function blockFileOf(block: Uint8Array): string {
  const { dir: folder, file } = new NextToLast().encode(CID.createV1(0x55, createDigest(0x12, sha256(block))));
  return join(path, 'blocks', folder, file);
}

async function assertWhole(peer: LocalPeer): Promise<void> {
  const { blocks, damage } = await scanOf(peer, shard);
  assert.deepEqual([blocks.length, damage], [shard.blocks, []]);
}

async function assertAway(peer: LocalPeer, kind: Strange): Promise<void> {
  assert.equal(await peer.has(shard.cid), false, kind);
  assert.deepEqual(await cidsOf(peer), [], kind);
  assert.equal((await peer.metric()).usedBytes, 0, kind);
  await assert.rejects(peer.open(shard.cid), { code: 'NOT_FOUND' }, kind);
}

test('a CAR in whose place something else stands is not there, and is put there again', async () => {
  for (const kind of STRANGE) {
    const peer = await peerWith('car', shard);
    await putStrange(kind, carOf(shard));
    await assertAway(peer, kind);
    await assert.rejects(peer.salvage(shard.cid), { code: 'NOT_FOUND' }, kind);
    if (kind === 'directory') rmSync(carOf(shard), { recursive: true });
    await peer.put(shard, keep);
    await assertWhole(peer);
  }
});

test('a pin in whose place something else stands is not there, and is put there again', async () => {
  for (const kind of STRANGE) {
    const peer = await peerWith('blockstore', shard);
    const pin = join(path, 'pins', shard.cid);
    await putStrange(kind, pin);
    await assertAway(peer, kind);
    if (kind === 'directory') rmSync(pin, { recursive: true });
    await peer.put(shard, keep);
    await assertWhole(peer);
  }
});

test('a block in whose place something else stands is missing, and is put there again', async () => {
  for (const kind of STRANGE) {
    const peer = await peerWith('blockstore', shard);
    const block = blockOf(shard, 1);
    await putStrange(kind, blockFileOf(block));
    assert.equal(await peer.block(sha256(block)), undefined, kind);
    const { blocks, damage } = await scanOf(peer, shard);
    assert.deepEqual([blocks.length, damage.length], [shard.blocks - 1, 1], kind);
    if (kind === 'directory') rmSync(blockFileOf(block), { recursive: true });
    await peer.put(shard, { ...keep, replace: true });
    await assertWhole(peer);
  }
});

test('a block is written by a name that nobody can foresee, and nothing is left of the runs that died meanwhile', async () => {
  const peer = await peerWith('blockstore');
  writeFileSync(join(dir, 'victim'), 'precious');
  for (const block of shard.data) {
    const file = blockFileOf(block);
    const known = join(file, '..', `.${file.slice(file.lastIndexOf('/') + 1)}.tmp`);
    await putStrange('FIFO', known);
    if (block === shard.data[0]) {
      rmSync(known);
      symlinkSync(join(dir, 'victim'), known);
    }
  }
  const left = join(path, 'tmp', randomUUID());
  mkdirSync(join(path, 'tmp'), { recursive: true });
  writeFileSync(left, 'half a block');
  utimesSync(left, 1, 1);
  await peer.put(shard, keep);
  await assertWhole(peer);
  assert.equal(readFileSync(join(dir, 'victim'), 'utf8'), 'precious');
  assert.deepEqual(readdirSync(join(path, 'tmp')), []);
});

test('a directory with something else in place of its peer.json is no peer', async () => {
  for (const kind of STRANGE) {
    const peer = await peerWith('car');
    await putStrange(kind, join(path, 'peer.json'));
    await assert.rejects(peer.id(), { code: 'TOO_FEW_PEERS' }, kind);
    rmSync(path, { recursive: true });
  }
});

test('whatever has the name of a mark is one, and making it leads nowhere', async () => {
  for (const kind of [...REPLACED, 'symlink to nothing'] as const) {
    const peer = await peerWith('car', shard);
    const mark = join(path, 'owners', TEST_OWNER.id, shard.cid);
    if (kind === 'symlink to nothing') {
      rmSync(mark);
      symlinkSync(join(dir, 'made'), mark);
    } else await putStrange(kind, mark);
    await peer.mark([shard.cid]);
    assert.equal(lstatSync(join(dir, 'made'), { throwIfNoEntry: false }), undefined);
    assert.equal(await peer.remove(shard.cid), 'removed', kind);
    assert.equal(lstatSync(mark, { throwIfNoEntry: false }), undefined);
    await putStrange(kind === 'symlink to nothing' ? 'FIFO' : kind, join(path, 'owners', `${TEST_OWNER.id}.json`));
    assert.deepEqual(await peer.owners(), [{ id: TEST_OWNER.id }], kind);
    rmSync(path, { recursive: true });
  }
});

test('what stands in tmp under the name of a copy keeps no shard from being put', async () => {
  for (const kind of STRANGE) {
    const peer = await peerWith('car');
    const old = `${randomUUID()}.car`;
    const names = [old, `${randomUUID()}.car`, `leaving.${shard.cid}.${randomUUID()}`];
    for (const name of names) await putStrange(kind, join(path, 'tmp', name));
    lutimesSync(join(path, 'tmp', old), 1, 1);
    await peer.put(shard, keep);
    await assertWhole(peer);
    // What is as old as what dead runs leave is removed like that; a directory is none of ours.
    assert.equal(readdirSync(join(path, 'tmp')).includes(old), kind === 'directory', kind);
    rmSync(path, { recursive: true });
  }
});

for (const [layout, leaving] of [
  ['car', () => join(path, 'tmp', `leaving.${shard.cid}.${randomUUID()}`)],
  ['blockstore', () => join(path, 'pins', `${shard.cid}.removing`)],
] as const) {
  test(`layout ${layout}: what looks like a removal that was cut short takes the place of nothing that is there`, async () => {
    const peer = await peerWith(layout, shard);
    writeFileSync(leaving(), 'planted');
    assert.deepEqual(await cidsOf(peer), [shard.cid]);
    await assertWhole(peer);
    assert.equal((await peer.metric()).usedBytes, shard.carBytes);
  });
}
