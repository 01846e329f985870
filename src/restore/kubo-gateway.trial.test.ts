/** `get` from a real Kubo whose settings name a gateway: read from there; and where that fails in any way, by the RPC, all the same. */
import assert from 'node:assert/strict';
import { createCipheriv } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { onlyInAll } from '../testing/depth.ts';
import { type Fault, FaultProxy } from '../testing/fault-proxy.ts';
import { treeState } from '../testing/hard-tree.ts';
import { KuboDaemon, requireKubo } from '../testing/kubo.ts';
import { Program } from '../testing/program.ts';

const MIB = 1024 * 1024;
const CAT = '/api/v0/cat';

/** Two files of a long answer each, and some of one leaf: several shards of 16 MiB. */
function makeMirror(path: string): void {
  mkdirSync(path, { recursive: true });
  for (const [number, bytes] of [20 * MIB + 5, 12 * MIB, 300, 70_000, 0].entries()) {
    const cipher = createCipheriv('aes-128-ctr', Buffer.alloc(16, number), Buffer.alloc(16));
    writeFileSync(join(path, `file-${number}`), cipher.update(Buffer.alloc(bytes)));
  }
}

test('what a Kubo has comes from the gateway that its settings name, and by its RPC what that does not give', {
  skip: onlyInAll(),
}, async (t: TestContext) => {
  if (!requireKubo(t)) return;
  const program = new Program();
  const daemon = await KuboDaemon.start(program.path('ipfs'));
  const gateway = await FaultProxy.start(daemon.gateway);
  const rpc = await FaultProxy.start(daemon.url);
  t.after(async () => {
    await gateway.stop();
    await rpc.stop();
    await daemon.stop();
    program.dispose();
  });
  let said: unknown = [`/ip4/127.0.0.1/tcp/${new URL(gateway.url).port}`];
  rpc.rule = (path) => (path === '/api/v0/config' ? { kind: 'answer', status: 200, body: JSON.stringify({ Value: said }) } : undefined);
  const mirror = program.path('mirror');
  makeMirror(mirror);
  const whole = treeState(mirror);
  const out = program.path('out');
  const run = async (...argv: string[]) => {
    const { code, stderr } = await program.follow(() => {}, ...argv, '--no-progress');
    assert.equal(code, 0, stderr);
    return stderr;
  };
  /** @returns how often the RPC and the gateway were asked for a part of a shard, and what was said */
  const got = async () => {
    const [byRpc, byGateway] = [rpc.count(CAT), gateway.seen.length];
    const stderr = await run('get', 'mirror', '-o', out);
    assert.deepEqual(treeState(out), whole);
    rmSync(out, { recursive: true });
    return { byRpc: rpc.count(CAT) - byRpc, byGateway: gateway.seen.length - byGateway, stderr };
  };
  await run('peers', 'add', 'kubo', rpc.url, '--name', 'attic');
  await run('add', mirror, '--shard-size', '16MiB');

  const good = await got();
  assert.equal(good.byRpc, 0);
  assert.ok(good.byGateway > 2, `${good.byGateway} requests to the gateway`);
  assert.equal(good.stderr, '');

  const faults: Fault[] = [
    { kind: 'hang' },
    { kind: 'reset' },
    { kind: 'cut-answer', after: 3 * MIB + 7 },
    { kind: 'answer', status: 500 },
    { kind: 'answer', status: 200, body: 'x'.repeat(20 * MIB) },
    { kind: 'answer', status: 206, body: 'x'.repeat(20 * MIB) },
  ];
  for (const fault of faults) {
    let isFirst = true;
    gateway.rule = () => {
      const isLook = isFirst;
      isFirst = false;
      return isLook ? undefined : fault;
    };
    const { byRpc, stderr } = await got();
    assert.ok(byRpc > 0, JSON.stringify(fault).slice(0, 60));
    assert.ok(stderr.includes(gateway.url), stderr);
  }

  gateway.rule = () => ({ kind: 'answer', status: 412 });
  const { byRpc, byGateway, stderr } = await got();
  assert.ok(byRpc > 0);
  assert.deepEqual([byGateway, stderr], [1, '']);

  said = [];
  assert.equal((await got()).byGateway, 0);
});
