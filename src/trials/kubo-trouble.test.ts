/** Trouble while a mirror is placed on three real Kubo daemons: the run ends well or says what is missing, and a rerun completes it. */
import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { RESERVE_BYTES } from '../storing/allocate/allocators.ts';
import { onlyInAll } from '../testing/depth.ts';
import { type Fault, uploadFaults } from '../testing/fault-proxy.ts';
import { requireKubo } from '../testing/kubo.ts';
import { IMPORT, KuboTrio, saidBy } from '../testing/kubo-trio.ts';

// Most of the time is waiting for what does not answer.
describe('placing on three Kubo daemons', { concurrency: 4, skip: onlyInAll() }, () => {
  rule('one daemon killed and another restarted in the middle: the others take over, and nothing is sent twice', async (trio) => {
    const [a, b] = trio.peers;
    const trouble: Promise<void>[] = [];
    const added = await trio.add((placed) => {
      if (placed === 2) trouble.push(a.daemon.stop('SIGKILL'));
      if (placed === 4) trouble.push(b.daemon.stop('SIGKILL').then(() => b.daemon.start()));
    });
    await Promise.all(trouble);
    assert.equal(added.code, 0, added.stderr);
    assert.match(saidBy(added), /peer a is (left out|much slower)/);
    await a.daemon.start();
    await isComplete(trio);
  });

  rule('two daemons killed in the middle: each shard that lacks replicas is named, and a rerun sends what is not there', async (trio) => {
    const [a, b, c] = trio.peers;
    const killed: Promise<void>[] = [];
    const added = await trio.add((placed) => {
      if (placed === 3) for (const { daemon } of [a, b]) killed.push(daemon.stop('SIGKILL'));
    });
    await Promise.all(killed);
    assert.equal(added.code, 42, added.stderr);
    assert.match(saidBy(added), /^shard \d+ is on 1 of 2 peers \(c\): bafy\w+$/m);
    await Promise.all([a, b].map(({ daemon }) => daemon.start()));
    const again = await trio.add();
    assert.equal(again.code, 0, again.stderr);
    assert.equal(new Set(c.proxy.taken).size, c.proxy.taken.length, 'c, which was there all along, was sent no shard twice');
    await isComplete(trio);
  });

  rule('a daemon that is frozen before the run holds it up for seconds and no longer', async (trio) => {
    const [a] = trio.peers;
    a.daemon.freeze();
    const from = Date.now();
    const added = await trio.add();
    assert.equal(added.code, 0, added.stderr);
    assert.ok(Date.now() - from < 30_000, `${Date.now() - from} ms`);
    assert.match(saidBy(added), /peer a is left out: it has not answered/);
    await a.daemon.stop('SIGKILL');
    await a.daemon.start();
    await isComplete(trio);
  });

  const faults: Record<string, Fault> = { ...uploadFaults(200_000, '{"Message":"oops"}'), hangs: { kind: 'hang' } };
  for (const [what, fault] of Object.entries(faults)) {
    rule(`a proxy that ${what} from the third import on: the run names its peer, and ends well without it`, async (trio) => {
      const [{ proxy }] = trio.peers;
      proxy.rule = (path, nth) => (path === IMPORT && nth >= 2 ? fault : undefined);
      const added = await trio.add();
      assert.equal(added.code, 0, added.stderr);
      assert.match(saidBy(added), /peer a is (left out|much slower)/);
      proxy.rule = () => undefined;
      await isComplete(trio);
    });
  }

  const StorageMax = { 'Datastore.StorageMax': `${RESERVE_BYTES + 3_000_000}B` };
  rule(
    'two daemons whose StorageMax is reached: the run stops with what each has left; with one of them full a rerun ends well',
    async (trio) => {
      const added = await trio.add();
      assert.equal(added.code, 43, added.stderr);
      assert.match(added.stdout, /needs 2 peers with room: a has \S+ \w+ to give, b has/);
      const placed = trio.taken();
      assert.ok(
        placed.every((count) => count > 0),
        `${placed}`,
      );
      const { code, stderr } = await trio.run('peers', 'set', 'b', '--capacity', '1GB');
      assert.equal(code, 0, stderr);
      const again = await trio.add();
      assert.equal(again.code, 0, again.stderr);
      for (const { proxy } of trio.peers) assert.equal(new Set(proxy.taken).size, proxy.taken.length, 'no shard was sent twice');
      await isComplete(trio);
    },
    { a: StorageMax, b: StorageMax },
  );
});

function rule(title: string, body: (trio: KuboTrio) => Promise<void>, settings: Parameters<typeof KuboTrio.start>[0] = {}): void {
  test(title, async (t: TestContext) => {
    if (!requireKubo(t)) return;
    const trio = await KuboTrio.start(settings);
    t.after(() => trio.stop());
    await body(trio);
  });
}

/** Everything is there twice and whole, and the next run sends nothing. */
async function isComplete(trio: KuboTrio): Promise<void> {
  const before = trio.taken();
  const again = await trio.add(() => {}, '--checksum');
  assert.equal(again.code, 0, again.stderr);
  assert.deepEqual(trio.taken(), before, 'what is there is not sent again');
  const { code, stderr } = await trio.run('verify', '--read-data', '--replication', '2');
  assert.equal(code, 0, stderr);
}
