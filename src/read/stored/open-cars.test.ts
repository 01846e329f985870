import assert from 'node:assert/strict';
import { fstatSync, mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { ShardctlError } from '../../core/errors.ts';
import { sha256 } from '../../dag/cid.ts';
import type { Peer, ShardReader } from '../../peer/peer.ts';
import { blockOf, makeBlocks, makeShard, type TestShard } from '../../testing/shards.ts';
import { putStrange, STRANGE } from '../../testing/strange-files.ts';
import { OffsetsCache } from './offsets-cache.ts';
import { OpenCars } from './open-cars.ts';

/** More than may be open at once. */
const SHARDS = 600;
const MOST_OPEN = 512;

const dir = mkdtempSync(join(tmpdir(), 'shardctl-open-cars-'));
const shards: TestShard[] = [];
before(() => {
  for (let i = 0; i < SHARDS; i++) shards.push(makeShard(dir, makeBlocks(2, 100, i + 1)));
});
after(() => rmSync(dir, { recursive: true, force: true }));

/** A peer whose CARs are in the directory. */
function peerWith(opened: string[] = []): Peer {
  const open = async (cid: string): Promise<Partial<ShardReader>> => {
    opened.push(cid);
    const { data } = shards.find((shard) => shard.cid === cid) as TestShard;
    const contents = {
      digests: Buffer.concat(data.map(sha256)),
      lengths: data.map(({ length }) => length),
      bytes: 0,
      dagSize: 0,
      carBytes: 0,
    };
    return { contents: () => contents, close: async () => {} };
  };
  return { name: 'here', carPath: async (cid: string) => join(dir, `${cid}.car`), has: async () => false, open } as unknown as Peer;
}

const shardAt = (at: number) => shards[at] as TestShard;

test('few files are open at once, however many shards are read, and each block is where it is said to be', {
  skip: process.platform !== 'linux',
}, async () => {
  const cars = new OpenCars(new OffsetsCache(undefined, Date.now));
  for (const shard of shards) {
    const car = await cars.open(shard.cid, peerWith());
    const block = blockOf(shard, 1);
    const found = car?.find(sha256(block));
    assert.deepEqual(found && car?.bytesAt(found), Buffer.from(block));
  }
  await setImmediate();
  const open = readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(dir);
    } catch {
      return false;
    }
  });
  assert.ok(open.length <= MOST_OPEN, `${open.length} are open`);
  assert.equal(cars.get(shardAt(0).cid), undefined, 'the one that was used longest ago was closed');
  assert.ok(cars.get(shardAt(SHARDS - 1).cid));
  cars.close();
  await setImmediate();
});

test('a file stays open to the end of the turn, and longer for whoever holds it', async () => {
  const cars = new OpenCars(new OffsetsCache(undefined, Date.now));
  const [first, second] = [await cars.open(shardAt(0).cid, peerWith()), await cars.open(shardAt(1).cid, peerWith())];
  assert.ok(first && second);
  first.hold();
  cars.close();
  for (const car of [first, second]) assert.ok(fstatSync(car.fd).isFile());
  await setImmediate();
  assert.throws(() => fstatSync(second.fd), { code: 'EBADF' });
  assert.ok(fstatSync(first.fd).isFile());
  first.release();
  assert.throws(() => fstatSync(first.fd), { code: 'EBADF' });
});

test('a file that nobody has used for a minute is closed: if it was removed, its space is free then', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const cars = new OpenCars(new OffsetsCache(undefined, Date.now));
  for (const at of [0, 1]) await cars.open(shardAt(at).cid, peerWith());
  const [idle, used] = [0, 1].map((at) => cars.get(shardAt(at).cid));
  t.mock.timers.tick(60_000);
  assert.ok(cars.get(shardAt(1).cid));
  t.mock.timers.tick(60_000);
  await setImmediate();
  assert.throws(() => fstatSync(idle?.fd ?? -1), { code: 'EBADF' });
  assert.ok(fstatSync(used?.fd ?? -1).isFile());
  assert.equal(cars.get(shardAt(0).cid), undefined);
  cars.close();
});

test('a file that was removed is closed when that is asked for, unless somebody holds it', async () => {
  const removed = [0, 1].map((at) => makeShard(dir, makeBlocks(2, 100, SHARDS + 1 + at)));
  shards.push(...removed);
  const cars = new OpenCars(new OffsetsCache(undefined, Date.now));
  const [kept, gone, held] = await Promise.all([shardAt(0), ...removed].map(({ cid }) => cars.open(cid, peerWith())));
  assert.ok(kept && gone && held);
  held.hold();
  for (const { cid } of removed) rmSync(join(dir, `${cid}.car`));
  cars.leaveRemoved();
  await setImmediate();
  assert.throws(() => fstatSync(gone.fd), { code: 'EBADF' });
  for (const car of [kept, held]) assert.equal(cars.get(car.cid), car);
  held.release();
  cars.leaveRemoved();
  assert.equal(cars.get(held.cid), undefined);
  cars.close();
  await setImmediate();
});

test('a file that somebody holds is not closed while nobody else uses it: a client may take longer than a minute', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const cars = new OpenCars(new OffsetsCache(undefined, Date.now));
  const car = await cars.open(shardAt(0).cid, peerWith());
  car?.hold();
  for (let minute = 0; minute < 3; minute++) t.mock.timers.tick(60_000);
  assert.equal(cars.get(shardAt(0).cid), car);
  car?.release();
  for (let minute = 0; minute < 2; minute++) t.mock.timers.tick(60_000);
  assert.equal(cars.get(shardAt(0).cid), undefined);
  cars.close();
});

test('a shard is opened by its manifest once, however many ask, and in the next process not at all', async () => {
  const cache = join(dir, 'cache');
  const opened: string[] = [];
  const cars = new OpenCars(new OffsetsCache(cache, Date.now));
  await Promise.all(Array.from({ length: 20 }, () => cars.open(shardAt(0).cid, peerWith(opened))));
  assert.deepEqual(opened, [shardAt(0).cid]);
  const next = new OpenCars(new OffsetsCache(cache, Date.now));
  assert.ok(await next.open(shardAt(0).cid, peerWith(opened)));
  assert.equal(opened.length, 1);
  for (const those of [cars, next]) those.close();
});

test('the files of shards that are gone are removed, and those that other processes write at this moment are not', async () => {
  const cache = join(dir, 'swept');
  const offsets = new OffsetsCache(cache, Date.now);
  const cars = new OpenCars(offsets);
  for (const at of [0, 1]) await cars.open(shardAt(at).cid, peerWith());
  cars.close();
  await offsets.sweep((cid) => cid === shardAt(0).cid);
  assert.deepEqual(readdirSync(join(cache, 'offsets')), [shardAt(0).cid]);
});

test('a shard that is open on two peers is still found when the CAR of one of them was closed', async () => {
  const cars = new OpenCars(new OffsetsCache(undefined, Date.now));
  const { cid } = shardAt(0);
  const here = await cars.open(cid, peerWith());
  const there = await cars.open(cid, { ...peerWith(), name: 'there' } as Peer);
  assert.ok(here && there);
  cars.leave(there);
  assert.equal(await cars.open(cid, peerWith()), here);
  assert.equal(cars.get(cid), here);
  cars.close();
});

test('a CAR that is not there is not found, and one in another layout is none', async () => {
  const cars = new OpenCars(new OffsetsCache(undefined, Date.now));
  const nowhere = { ...peerWith(), carPath: async () => join(dir, 'nowhere.car') } as Peer;
  await assert.rejects(cars.open(shardAt(0).cid, nowhere), { code: 'NOT_FOUND' });
  assert.equal(await cars.open(shardAt(0).cid, { ...nowhere, carPath: async () => undefined } as Peer), undefined);
  const away = async () => {
    throw new ShardctlError('TOO_FEW_PEERS', 'not mounted');
  };
  await assert.rejects(cars.open(shardAt(0).cid, { ...nowhere, carPath: away } as Peer), { code: 'TOO_FEW_PEERS' });
});

test('what is no file is no CAR, and holds up nobody', async () => {
  const cars = new OpenCars(new OffsetsCache(undefined, Date.now));
  const strange = makeShard(dir, makeBlocks(2, 100, SHARDS + 1));
  for (const kind of STRANGE) {
    await putStrange(kind, strange.carPath);
    await assert.rejects(cars.open(strange.cid, peerWith()), { code: 'NOT_FOUND' }, kind);
  }
  cars.close();
});
