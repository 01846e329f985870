/** A tree of which its peers give no bytes cannot be judged: it becomes the head, with a warning that is told once. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ShardctlError } from '../core/errors.ts';
import type { GateOrder } from '../core/gate.ts';
import type { Peer } from '../peer/peer.ts';
import { unreadable } from '../read/blocks/block-source.ts';
import { beginEach } from '../testing/each.ts';
import { FakeGate } from '../testing/fake-gate.ts';
import type { TestHome } from '../testing/run.ts';
import { writeTree } from '../testing/tree.ts';

let dir: string;
let home: TestHome;
beginEach((its, itsHome) => {
  dir = its;
  home = itsHome;
});

const silent = { peer: 'a', error: new ShardctlError('TOO_FEW_PEERS', 'does not answer') };
const closed = { peer: 'b', error: new ShardctlError('NOT_READABLE', 'no way to its bytes', { hint: 'say where it is' }) };

/** A gate that meets a block which these peers do not give. */
function withoutBytes(failures: Parameters<typeof unreadable>[2], isByName = false, cid = 'shard'): GateOrder {
  const judge = () => Promise.reject(unreadable(new Uint8Array(32), { cid, peers: [] }, failures));
  return { ...new FakeGate().order(), judge, isByName };
}

test('what no peer gives bytes of is the head, with a warning that is told once; with a kind by name it is an error', async () => {
  writeTree(dir, { index: 'a\n', a: '1' });
  const warningsOf = async (gate: GateOrder) => {
    const { summary, events } = await home.add(dir, { gate });
    assert.equal(summary.gate?.outcome, 'unjudged');
    return events.flatMap((event) => (event.type === 'warning' ? [[event.message, event.hint]] : []));
  };
  const [[message, hint] = []] = await warningsOf(withoutBytes([closed]));
  assert.match(message ?? '', /^the gate could not judge test, which is the head all the same: .*b: no way to its bytes/);
  assert.match(hint ?? '', /^say where it is; or judge nothing with `--gate off`/);
  writeFileSync(join(dir, 'a'), '22');
  assert.deepEqual(await warningsOf(withoutBytes([closed, closed])), []);
  writeFileSync(join(dir, 'a'), '333');
  await assert.rejects(home.add(dir, { gate: withoutBytes([closed], true) }), { code: 'TOO_FEW_PEERS' });
  for (const failures of [[silent, closed], [closed, silent], [silent]])
    await assert.rejects(home.add(dir, { gate: withoutBytes(failures) }), { code: 'TOO_FEW_PEERS' });
  const { summary } = await home.add(dir, { gate: new FakeGate().order() });
  assert.equal(summary.gate?.outcome, 'passed');
});

test('what could not be judged is judged by the next run that can read it, also where nothing has changed; it stays the head', async () => {
  writeTree(dir, { index: 'a\nb\n', a: '1' });
  await home.add(dir, { gate: withoutBytes([closed]) });
  for (const failures of [[closed], [silent]]) {
    const again = await home.add(dir, { gate: withoutBytes(failures) });
    assert.deepEqual([again.summary.unchanged, again.summary.gate?.outcome, told(again)], [true, 'unjudged', []]);
  }
  const { summary, events } = await home.add(dir, { gate: new FakeGate().order() });
  assert.deepEqual([summary.unchanged, summary.gate?.outcome, summary.gate?.count], [true, 'warned', 1]);
  assert.deepEqual(told({ events }), ['warned 1']);
  const index = await home.index();
  assert.equal(index.repository('test')?.head, 1);
  await index.close();
  assert.deepEqual(told(await home.add(dir, { gate: new FakeGate().order() })), []);
  writeFileSync(join(dir, 'b'), 'b');
  const whole = await home.add(dir, { gate: new FakeGate().order() });
  assert.equal(whole.summary.gate?.outcome, 'passed');
});

test('where nothing has changed it is tried again only when a peer that holds what was lacking gives bytes', async () => {
  writeTree(dir, { index: 'a\n', a: '1' });
  const local = home.peers.get('local') as Peer;
  const give = (givesBytes: boolean) => Object.defineProperty(local, 'givesBytes', { value: givesBytes, configurable: true });
  let asked = 0;
  const order = (gate: GateOrder): GateOrder => ({ ...gate, judge: (...of) => gate.judge(...of).finally(() => asked++) });
  const outcomeOf = async (gate: GateOrder) => (await home.add(dir, { gate: order(gate) })).summary.gate?.outcome;
  give(false);
  await home.add(dir, { gate: withoutBytes([closed]) });
  const index = await home.index();
  const lacked = [...index.shards()][0]?.cid ?? '';
  await index.close();
  // What was noted by an older version is tried once more, and noted.
  const closedThere = withoutBytes([closed], false, lacked);
  assert.equal(await outcomeOf(closedThere), 'unjudged');
  assert.equal(asked, 1);
  assert.equal(await outcomeOf(closedThere), 'unjudged');
  assert.equal(asked, 1);
  await assert.rejects(outcomeOf(withoutBytes([closed], true, lacked)), { code: 'TOO_FEW_PEERS' });
  give(true);
  assert.equal(await outcomeOf(new FakeGate().order()), 'passed');
  assert.equal(asked, 3);
});

function told({ events }: Pick<Awaited<ReturnType<TestHome['add']>>, 'events'>): readonly string[] {
  return events.flatMap((event) =>
    event.type === 'gate' ? [`${event.outcome} ${event.count}`] : event.type === 'warning' ? [event.message] : [],
  );
}
