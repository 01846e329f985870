import assert from 'node:assert/strict';
import fs, { mkdtempSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { TEST_OWNER } from '../../../testing/owner.ts';
import { makeBlocks, makeShard, type TestShard } from '../../../testing/shards.ts';
import { LocalPeer } from '../local.ts';

const EXT4 = 0xef53;
const NFS = 0x6969;
const FUSE = 0x65735546;

let dir: string;
let path: string;
let shards: readonly TestShard[];
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'shardctl-own-'));
  path = join(dir, 'peer');
  shards = [1, 2].map((count) => makeShard(dir, makeBlocks(count, 100)));
  const peer = await LocalPeer.create({ owner: TEST_OWNER, name: 'disk', path, layout: 'car' });
  for (const shard of shards) await peer.put(shard, { mayConsume: false, signal: new AbortController().signal });
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function folderOf({ cid }: TestShard): string {
  return cid.slice(-3, -1);
}

function carOf(shard: TestShard): string {
  return `${folderOf(shard)}/${shard.cid}.car`;
}

/** What the main thread itself asks for below the peer's shards while they are listed and added up: `<call> <path below shards>`. */
async function askedFor(type: number | undefined): Promise<readonly string[]> {
  // A capacity, as a peer has one where its file system does not say what is free.
  const peer = new LocalPeer({ owner: TEST_OWNER, name: 'disk', path, layout: 'car', capacity: 2 ** 30 });
  await peer.id();
  const { statfs } = fs.promises;
  mock.method(fs.promises, 'statfs', async (at: string) => {
    if (type === undefined) throw Object.assign(new Error('ENOSYS: function not implemented, statfs'), { code: 'ENOSYS' });
    return { ...(await statfs(at)), type };
  });
  const calls = (['readdirSync', 'statSync', 'lstatSync'] as const).map((name) => [name, mock.method(fs, name)] as const);
  // However long this machine takes, the disk is none that is slow.
  mock.method(performance, 'now', () => 0);
  syncBuiltinESMExports();
  try {
    const { usedBytes } = await peer.metric();
    assert.equal(
      usedBytes,
      shards.reduce((sum, { carBytes }) => sum + carBytes, 0),
    );
    const below = join(path, 'shards/');
    const asked = calls.flatMap(([name, method]) => method.mock.calls.map((call) => [name, String(call.arguments[0])] as const));
    return asked.filter(([, at]) => at.startsWith(below)).map(([name, at]) => `${name} ${at.slice(below.length)}`);
  } finally {
    mock.restoreAll();
    syncBuiltinESMExports();
  }
}

test('the main thread asks for shards on a disk of this machine only: another one may hang, and the program with it', async () => {
  const all = shards.flatMap((shard) => [`readdirSync ${folderOf(shard)}`, `lstatSync ${carOf(shard)}`]);
  const asked = await askedFor(EXT4);
  assert.deepEqual([...new Set(asked)].sort(), all.sort());
  for (const type of [NFS, FUSE, undefined]) assert.deepEqual(await askedFor(type), [], `type ${type}`);
});

test('nor does it follow a symlink, which may lead to another file system', async () => {
  const [first, second] = shards as [TestShard, TestShard];
  const folder = join(path, 'shards', folderOf(first));
  const car = join(path, 'shards', carOf(second));
  assert.notEqual(folderOf(first), folderOf(second));
  renameSync(folder, join(dir, 'folder'));
  symlinkSync(join(dir, 'folder'), folder);
  renameSync(car, join(dir, 'car'));
  symlinkSync(join(dir, 'car'), car);
  const asked = [`readdirSync ${folderOf(second)}`, `lstatSync ${carOf(second)}`];
  assert.deepEqual([...new Set(await askedFor(EXT4))].sort(), asked.sort());
});
