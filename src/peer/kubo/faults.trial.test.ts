/** What goes wrong on the way to a real daemon. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { sha256 } from '../../dag/cid.ts';
import { oneIn } from '../../testing/depth.ts';
import { type Fault, FaultProxy } from '../../testing/fault-proxy.ts';
import { KuboDaemon, requireKubo } from '../../testing/kubo.ts';
import { TEST_OWNER } from '../../testing/owner.ts';
import { bytesOf } from '../../testing/peer-reading.ts';
import { blockOf, makeBlocks, makeShard, type TestShard } from '../../testing/shards.ts';
import { KuboPeer } from './kubo.ts';

const keep = { mayConsume: false, signal: new AbortController().signal };
const IMPORT = '/api/v0/dag/import';
const EXPORT = '/api/v0/dag/export';

const scratch = mkdtempSync(join(tmpdir(), 'shardctl-kubo-faults-'));
let daemon: KuboDaemon | undefined;
after(async () => {
  await daemon?.stop();
  rmSync(scratch, { recursive: true, force: true });
});

interface World {
  readonly daemon: KuboDaemon;
  readonly proxy: FaultProxy;
  readonly peer: KuboPeer;
  readonly shard: TestShard;
  /** What goes wrong with the requests for a path, one after the other; those that follow are let through. */
  readonly breaking: (path: string, ...faults: Fault[]) => void;
}

let seed = 100;

const sample = oneIn(5);

function rule(title: string, body: (world: World) => Promise<void>): void {
  test(title, { skip: sample() }, async (t) => {
    if (!requireKubo(t)) return;
    daemon ??= await KuboDaemon.start(join(scratch, 'ipfs'));
    const proxy = await FaultProxy.start(daemon.url);
    const peer = new KuboPeer({
      name: 'attic',
      url: proxy.url,
      id: daemon.repo.text(['id', '-f', '<id>']),
      owner: TEST_OWNER,
      token: 's3cret',
    });
    t.after(async () => {
      await peer.close();
      await proxy.stop();
    });
    await body({
      daemon,
      proxy,
      peer,
      shard: makeShard(scratch, makeBlocks(200, 20_000, seed++)),
      breaking: (wanted, ...faults) => {
        const before = proxy.count(wanted);
        proxy.rule = (path, nth) => (path === wanted ? faults[nth - before] : undefined);
      },
    });
  });
}

async function isWhole(peer: KuboPeer, { cid, blocks }: TestShard): Promise<boolean> {
  const damage: string[] = [];
  const reader = await peer.open(cid);
  let read = 0;
  for await (const _ of reader.scan((detail) => damage.push(detail))) read++;
  return damage.length === 0 && read === blocks;
}

rule('a shard whose import was done, though nobody said so, is asked for and not sent again', async ({ proxy, peer, shard, breaking }) => {
  breaking(IMPORT, { kind: 'swallow-answer' });
  await peer.put(shard, keep);
  assert.equal(proxy.count(IMPORT), 1);
  assert.ok(proxy.count(EXPORT) > 0, 'a pin alone is no evidence');
  assert.ok(await isWhole(peer, shard));
});

rule('an answer that breaks off is no answer', async ({ proxy, peer, shard, breaking }) => {
  breaking(IMPORT, { kind: 'cut-answer', after: 20 });
  await peer.put(shard, keep);
  assert.equal(proxy.count(IMPORT), 1);
  assert.ok(await isWhole(peer, shard));
});

for (const [name, faults] of Object.entries<readonly Fault[]>({
  'whose connection is reset at once': [{ kind: 'reset' }],
  'whose connection is reset in the middle, twice': [
    { kind: 'cut-request', after: 1_000_000 },
    { kind: 'cut-request', after: 300_000 },
  ],
  'that a proxy is too busy for': [
    { kind: 'answer', status: 429, headers: { 'retry-after': '0' } },
    { kind: 'answer', status: 503, headers: { 'retry-after': '0' } },
    { kind: 'answer', status: 502, body: '<html><title>Bad Gateway</title>', headers: { 'content-type': 'text/html' } },
  ],
  'that is answered with what is no JSON': [{ kind: 'answer', status: 200, body: 'OK' }],
  'that is slow': [{ kind: 'delay', ms: 1000 }],
})) {
  rule(`an import ${name} comes through in the end`, async ({ peer, shard, breaking }) => {
    breaking(IMPORT, ...faults);
    await peer.put(shard, keep);
    assert.ok(await isWhole(peer, shard));
  });
}

rule('an error that will not pass is told at once, in one line', async ({ proxy, peer, shard, breaking }) => {
  breaking(IMPORT, { kind: 'answer', status: 500, body: '<html><title>Oh no</title>', headers: { 'content-type': 'text/html' } });
  await assert.rejects(peer.put(shard, keep), {
    code: 'TOO_FEW_PEERS',
    message: /^importing test shard \(bafy\w+\) on peer "attic" failed \(http:\S+\): HTTP 500: a web page, "Oh no"$/,
  });
  assert.equal(proxy.count(IMPORT), 1);
  assert.equal(await peer.has(shard.cid), false);
});

rule('a disk that is full over there is no space', async ({ peer, shard, breaking }) => {
  breaking(IMPORT, { kind: 'answer', status: 500, body: '{"Message":"write /x: no space left on device","Code":0,"Type":"error"}' });
  await assert.rejects(peer.put(shard, keep), { code: 'NO_SPACE' });
});

rule('an abort in the middle of an import leaves no pin', async ({ proxy, peer, shard }) => {
  const abort = new AbortController();
  const reason = new Error('enough');
  proxy.rule = (path) => {
    if (path !== IMPORT) return undefined;
    void setTimeout(50).then(() => abort.abort(reason));
    return { kind: 'hang' };
  };
  await assert.rejects(peer.put(shard, { mayConsume: false, signal: abort.signal }), reason);
  assert.equal(await peer.has(shard.cid), false);
});

rule('reading that breaks off is a failure of the connection, and no damage', async ({ peer, shard, breaking }) => {
  await peer.put(shard, keep);
  breaking(EXPORT, { kind: 'cut-answer', after: 100_000 }, { kind: 'cut-answer', after: 100_000 });
  await assert.rejects(isWhole(peer, shard), { code: 'TOO_FEW_PEERS' });
});

rule(
  'a daemon that cannot go on with its stream, and then not give a block for a moment, as while it is stopped, has the whole shard',
  async (it) => {
    const { peer, proxy, shard } = it;
    await peer.put(shard, keep);
    const body = '{"Message":"cannot access config, repo not open","Code":0,"Type":"error"}';
    const before = proxy.count('/api/v0/block/get');
    proxy.rule = (path, nth) =>
      path === EXPORT || (path === '/api/v0/block/get' && [50, 51, 120].includes(nth - before))
        ? { kind: 'answer', status: 500, body }
        : undefined;
    assert.ok(await isWhole(peer, shard));
  },
);

rule('a list of pins that breaks off is no list', async ({ peer, breaking }) => {
  breaking('/api/v0/pin/ls', { kind: 'cut-answer', after: 10 });
  await assert.rejects(async () => {
    for await (const _ of peer.list());
  });
  breaking('/api/v0/pin/ls', {
    kind: 'answer',
    status: 200,
    body: '{"Cid":"bafy","Type":"recursive"}\n{"Message":"no","Code":0,"Type":"error"}\n',
  });
  await assert.rejects(async () => {
    for await (const _ of peer.list());
  }, /a pin without a CID: no/);
});

rule('a datastore that stops giving a stream at a missing block costs nothing but that block', async ({ daemon, peer, proxy, shard }) => {
  await peer.put(shard, keep);
  // A Kubo that does not know local-only yet.
  proxy.rule = (path) => (path === EXPORT ? { kind: 'without', parameter: 'local-only' } : undefined);
  rmSync(daemon.fileOf(blockOf(shard, 50)));
  const damage: string[] = [];
  let read = 0;
  for await (const { digest, bytes } of (await peer.open(shard.cid)).scan((detail) => damage.push(detail))) {
    assert.deepEqual(Buffer.from(sha256(bytes)), Buffer.from(digest));
    read++;
  }
  assert.equal(read, shard.blocks - 1);
  assert.match(damage.join(), /^block bafk\w+ is missing$/);
});

rule('a daemon that is killed at some moment of an import, and comes back, has the shard', async ({ daemon, proxy, peer }) => {
  for (const ms of [0, 20, 60]) {
    const shard = makeShard(scratch, makeBlocks(400, 20_000, seed++));
    const before = proxy.count(IMPORT);
    const put = peer.put(shard, keep);
    while (proxy.count(IMPORT) === before) await setTimeout(5);
    await setTimeout(ms);
    await daemon.stop('SIGKILL');
    await daemon.start();
    await put;
    assert.ok(await isWhole(peer, shard));
  }
});

rule(
  'blocks that are read one after the other come in ranges, and a damaged one spoils no other',
  async ({ daemon, proxy, peer, shard }) => {
    await peer.put(shard, keep);
    const reader = await peer.open(shard.cid);
    const before = proxy.seen.length;
    // As a tree is read: what comes second in the shard is asked for first.
    for (let i = 0; i < shard.blocks; i += 2) {
      for (const block of [blockOf(shard, i + 1), blockOf(shard, i)]) {
        assert.deepEqual(bytesOf(await reader.read(sha256(block))), bytesOf(block));
      }
    }
    assert.ok(proxy.seen.length - before < 12, `${proxy.seen.length - before} requests for ${shard.blocks} blocks of ${shard.bytes} bytes`);

    const victim = blockOf(shard, 60);
    writeFileSync(daemon.fileOf(victim), Buffer.alloc(victim.length));
    const again = await peer.open(shard.cid);
    for (const block of shard.data) {
      if (block === victim) await assert.rejects(again.read(sha256(block)), { code: 'DAMAGE' });
      else assert.ok(await again.read(sha256(block)));
    }
  },
);
