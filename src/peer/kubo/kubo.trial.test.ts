import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { CID } from 'multiformats/cid';
import { create as createDigest } from 'multiformats/hashes/digest';
import { DAG_PB, RAW } from '../../core/model.ts';
import { cidText, sha256 } from '../../dag/cid.ts';
import { peerContract } from '../../testing/contract/contract.ts';
import { FaultProxy } from '../../testing/fault-proxy.ts';
import { KuboDaemon, requireKubo } from '../../testing/kubo.ts';
import { OTHER_OWNER, TEST_OWNER } from '../../testing/owner.ts';
import { bytesOf } from '../../testing/peer-reading.ts';
import { blockOf, makeBlocks, makeShard, type TestShard } from '../../testing/shards.ts';
import { KuboPeer, type KuboPeerOptions } from './kubo.ts';

const keep = { mayConsume: false, signal: new AbortController().signal };

const scratch = mkdtempSync(join(tmpdir(), 'shardctl-kubo-peer-'));
const peers: KuboPeer[] = [];
let started: Promise<KuboDaemon> | undefined;
const daemonOf = () => {
  started ??= KuboDaemon.start(join(scratch, 'ipfs'));
  return started;
};
after(async () => {
  for (const peer of peers) await peer.close();
  await (await started)?.stop();
  rmSync(scratch, { recursive: true, force: true });
});

async function peerOn(daemon: KuboDaemon, options: Partial<KuboPeerOptions> = {}): Promise<KuboPeer> {
  const id = daemon.repo.text(['id', '-f', '<id>']);
  const peer = new KuboPeer({ name: 'attic', url: daemon.url, id, owner: TEST_OWNER, ...options });
  peers.push(peer);
  return peer;
}

/** The one daemon of this file, without pins of shards. */
async function fresh(): Promise<{ daemon: KuboDaemon; peer: KuboPeer }> {
  const daemon = await daemonOf();
  const peer = await peerOn(daemon);
  for await (const { cid, owner } of peer.marks()) await peer.remove(cid, owner);
  for await (const cid of peer.list()) await peer.remove(cid);
  await peer.reclaim();
  return { daemon, peer };
}

peerContract(
  'kubo',
  async () => {
    const { daemon, peer } = await fresh();
    return {
      peer,
      other: await peerOn(daemon, { owner: OTHER_OWNER }),
      flip: async (_shard, block) => {
        const bytes = readFileSync(daemon.fileOf(block));
        const at = bytes.length >> 1;
        bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
        writeFileSync(daemon.fileOf(block), bytes);
      },
      cut: async (_shard, block) => truncateSync(daemon.fileOf(block), 1),
      slackBytes: 256 * 1024,
    };
  },
  requireKubo,
);

/** A rule about the real daemon. */
function rule(title: string, body: (world: { daemon: KuboDaemon; peer: KuboPeer; dir: string; t: TestContext }) => Promise<void>): void {
  test(title, async (t) => {
    if (!requireKubo(t)) return;
    const dir = mkdtempSync(join(tmpdir(), 'shardctl-kubo-'));
    t.after(() => rmSync(dir, { recursive: true, force: true }));
    await body({ ...(await fresh()), dir, t });
  });
}

/** The shard's CAR without one of its blocks. */
function without(shard: TestShard, block: Uint8Array): TestShard {
  const car = readFileSync(shard.carPath);
  const at = car.indexOf(sha256(block)) - 4;
  // Lengths from 128 take two bytes, and these blocks are longer.
  const cut = Buffer.concat([car.subarray(0, at - 2), car.subarray(at + 36 + block.length)]);
  writeFileSync(shard.carPath, cut);
  return { ...shard, carBytes: cut.length };
}

async function damageOf(peer: KuboPeer, shard: TestShard): Promise<string[]> {
  const damage: string[] = [];
  const reader = await peer.open(shard.cid);
  for await (const _ of reader.scan((detail) => damage.push(detail)));
  return damage;
}

rule('blocks come from the gateway where there is one, and are right whatever it says', async ({ daemon, dir, t }) => {
  const proxy = await FaultProxy.start(daemon.gateway);
  t.after(() => proxy.stop());
  const peer = await peerOn(daemon, { gateway: proxy.url });
  const shard = makeShard(dir, [...makeBlocks(50, 20_000), Buffer.alloc(0)]);
  await peer.put(shard, keep);
  const readAll = async () => {
    const reader = await peer.open(shard.cid);
    for (const block of shard.data) assert.deepEqual(bytesOf(await reader.read(sha256(block))), bytesOf(block));
  };
  await readAll();
  assert.ok(proxy.count(`/ipfs/${shard.cid}`) > 0);
  for (const body of ['short', '<html>', 'x'.repeat(3_000_000)]) {
    for (const status of [200, 206, 500]) {
      proxy.rule = () => ({ kind: 'answer', status, body });
      await readAll();
    }
  }
});

rule('a shard is pinned under its label', async ({ daemon, peer, dir }) => {
  const shard = { ...makeShard(dir, makeBlocks(10, 4000)), label: 'debian 00000007' };
  await peer.put(shard, keep);
  assert.match(daemon.repo.text(['pin', 'ls', '--type=recursive', '--names', shard.cid]), /recursive debian 00000007$/);
});

rule('a CAR that lacks a block is not placed: Kubo without a network says 200, and that it did not pin', async ({ dir, t }) => {
  const daemon = await KuboDaemon.start(join(dir, 'ipfs'), {}, ['--offline']);
  t.after(() => daemon.stop());
  const peer = await peerOn(daemon);
  const whole = makeShard(dir, makeBlocks(10, 4000));
  await assert.rejects(peer.put(without(whole, blockOf(whole, 4)), keep), { code: 'DAMAGE' });
  assert.equal(await peer.has(whole.cid), false);
});

rule('a daemon that looks for a missing block in the network is given up, and its pin lock is free again', async ({ daemon, dir }) => {
  const peer = await peerOn(daemon, { patienceMs: 1000 });
  const whole = makeShard(dir, makeBlocks(10, 4000));
  await assert.rejects(peer.put(without(whole, blockOf(whole, 4)), keep), /no sign of life/);
  assert.equal(await peer.has(whole.cid), false);
  await peer.reclaim();
});

rule('a CAR with a changed bit is not placed', async ({ peer, dir }) => {
  const shard = makeShard(dir, makeBlocks(10, 4000));
  const car = readFileSync(shard.carPath);
  const at = car.indexOf(blockOf(shard, 4)) + 8;
  car.writeUInt8(car.readUInt8(at) ^ 1, at);
  writeFileSync(shard.carPath, car);
  await assert.rejects(peer.put(shard, keep), /import failed/);
  assert.equal(await peer.has(shard.cid), false);
});

rule('a block removed under its pin is found, although Kubo calls the pin good, and a put mends it', async ({ daemon, peer, dir }) => {
  // A node of a directory that is empty, as a block of a shard.
  const node = Buffer.from([0x0a, 0x02, 0x08, 0x01]);
  const shard = makeShard(dir, [...makeBlocks(10, 4000), node, ...makeBlocks(10, 4000, 2)]);
  await peer.put(shard, keep);
  daemon.repo.run(['block', 'rm', cidText({ codec: DAG_PB, digest: sha256(node) }, 1)]);
  assert.equal(await peer.has(shard.cid), true);
  assert.deepEqual(await damageOf(peer, shard), [`block ${cidText({ codec: RAW, digest: sha256(node) }, 1)} is missing`]);
  const reader = await peer.open(shard.cid);
  await assert.rejects(reader.read(sha256(node)), { code: 'DAMAGE' });
  await peer.put(shard, keep);
  assert.deepEqual(await damageOf(peer, shard), []);
  daemon.repo.run(['repo', 'gc']);
  assert.deepEqual(await damageOf(peer, shard), []);
});

rule('a changed block is replaced by a put that is told so', async ({ daemon, peer, dir }) => {
  const shard = makeShard(dir, makeBlocks(10, 4000));
  const victim = blockOf(shard, 4);
  await peer.put(shard, keep);
  writeFileSync(daemon.fileOf(victim), Buffer.alloc(victim.length));
  assert.equal((await damageOf(peer, shard)).length, 1);
  await peer.put(shard, { ...keep, replace: true });
  assert.deepEqual(await damageOf(peer, shard), []);
});

rule('a manifest that was changed is mended, and so is what it lists', async ({ daemon, peer, dir }) => {
  const shard = makeShard(dir, makeBlocks(1500, 40));
  await peer.put(shard, keep);
  for (const codec of ['dag-pb', 'raw']) {
    const cid = codec === 'raw' ? cidText({ codec: RAW, digest: sha256(blockOf(shard, 4)) }, 1) : shard.cid;
    const file = daemon.fileOf(daemon.repo.run(['block', 'get', cid]));
    writeFileSync(file, Buffer.alloc(100));
  }
  await assert.rejects(peer.open(shard.cid), { code: 'DAMAGE' });
  await peer.put(shard, keep);
  assert.deepEqual(await damageOf(peer, shard), []);
});

rule('what a home may count on that comes through a Cluster stays: its marks are in the Cluster', async ({ daemon, dir, t }) => {
  const [first, second] = [makeShard(dir, makeBlocks(5, 1000)), makeShard(dir, makeBlocks(5, 1000, 2))];
  const peer = await peerOn(daemon);
  await peer.put(first, keep);
  await peer.put(second, keep);
  assert.equal(await peer.remove(first.cid), 'removed');
  // As a Cluster pins on each member what says who its homes are: a CID with the home's ID in it, without a name.
  const home = CID.createV1(RAW, createDigest(0, Buffer.from(`shardctl ${OTHER_OWNER.id}`))).toString();
  daemon.repo.run(['pin', 'add', '--recursive=false', home]);
  t.after(() => daemon.repo.run(['pin', 'rm', home]));
  const later = await peerOn(daemon);
  assert.equal(await later.remove(second.cid), 'kept');
  assert.equal(await later.has(second.cid), true);
});

rule('garbage collection without a pause, while shards are put, takes none of their blocks', async ({ peer, dir }) => {
  const shards = Array.from({ length: 30 }, (_, i) => makeShard(dir, makeBlocks(60, 20_000, i + 10)));
  let putting = true;
  let collections = 0;
  const collector = (async () => {
    for (; putting; collections++) await peer.reclaim();
  })();
  const queue = [...shards];
  await Promise.all(
    [1, 2, 3].map(async () => {
      for (let shard = queue.shift(); shard !== undefined; shard = queue.shift()) await peer.put(shard, keep);
    }),
  );
  putting = false;
  await collector;
  await peer.reclaim();
  assert.ok(collections > 2);
  for (const shard of shards) assert.deepEqual(await damageOf(peer, shard), []);
});

rule('another daemon at the same address is not this peer', async ({ daemon, dir }) => {
  const peer = await peerOn(daemon, { id: '12D3KooWElse' });
  const shard = makeShard(dir, makeBlocks(4, 400));
  await assert.rejects(peer.put(shard, keep), { code: 'TOO_FEW_PEERS', message: /is another Kubo now/ });
  await assert.rejects(peer.metric(), { code: 'TOO_FEW_PEERS' });
});

rule('a capacity counts instead of StorageMax, and a full peer takes nothing', async ({ daemon, peer, dir }) => {
  const { usedBytes } = await peer.metric();
  const shard = makeShard(dir, makeBlocks(20, 4000));
  const small = await peerOn(daemon, { capacity: usedBytes + 1000 });
  assert.ok((await small.metric()).freeBytes <= 1000);
  await assert.rejects(small.put(shard, keep), { code: 'NO_SPACE', exitCode: 43 });
  assert.equal((await (await peerOn(daemon, { capacity: 1 })).metric()).freeBytes, 0);
});

rule('what a daemon says of its space is believed only where it makes sense', async ({ daemon, t }) => {
  const proxy = await FaultProxy.start(daemon.url);
  t.after(() => proxy.stop());
  const saying = async (stat: string) => {
    proxy.rule = (path) => (path === '/api/v0/repo/stat' ? { kind: 'answer', status: 200, body: stat } : undefined);
    return await (await peerOn(daemon, { url: proxy.url })).metric();
  };
  const huge = await saying('{"RepoSize":1e300,"StorageMax":18446744073709551615}');
  assert.deepEqual([huge.usedBytes, huge.freeBytes], [Number.MAX_SAFE_INTEGER, 0]);
  assert.equal((await saying('{"RepoSize":20,"StorageMax":10}')).freeBytes, 0);
  for (const stat of [
    '{"RepoSize":-1,"StorageMax":10}',
    '{}',
    'null',
    '[]',
    '{"RepoSize":5}',
    '{"RepoSize":5,"StorageMax":0}',
    'oops',
    '{"RepoSize":',
  ])
    await assert.rejects(saying(stat), { code: 'TOO_FEW_PEERS' }, stat);
});

rule('a daemon says under which ID and at which addresses other nodes reach it', async ({ daemon, peer }) => {
  const [contact, ...rest] = await peer.contacts();
  assert.equal(contact?.id, daemon.repo.text(['id', '-f', '<id>']));
  assert.ok(contact.addresses.length > 0);
  for (const address of contact.addresses) assert.match(address, /^\/ip[46]\/[^/]+\/(tcp|udp)\/\d+(?!.*\/p2p\/)/);
  assert.deepEqual(rest, []);
});
