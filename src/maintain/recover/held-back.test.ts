import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { isHeld, type SnapshotRecord } from '../../core/model.ts';
import { beginEach } from '../../testing/each.ts';
import { acceptIn, FakeGate } from '../../testing/fake-gate.ts';
import { recoverRun } from '../../testing/recover-run.ts';
import { snapshotsOf, withIndex } from '../../testing/retention.ts';
import { TestHome } from '../../testing/run.ts';
import { writeTree } from '../../testing/tree.ts';
import { type Recovered, recover } from './recover.ts';
import type { HeldBack, RecoverRun } from './recover-run.ts';

let dir: string;
let first: TestHome;
beginEach((its, itsHome) => {
  dir = its;
  first = itsHome;
});

/** A snapshot for each text of the index: one that names a file which is not there is held back. */
async function snapshots(...indexes: string[]): Promise<SnapshotRecord[]> {
  const gate = new FakeGate();
  for (const index of indexes) {
    writeTree(dir, { index });
    await first.add(dir, { gate: gate.order() });
  }
  return await withIndex(first, async (index) => snapshotsOf(index));
}

const asHeld = ({ tree, time }: SnapshotRecord, count = 1): HeldBack => ({ tree, time, count });

/** @param look at the home that came back */
async function recovered(
  options: Partial<RecoverRun>,
  look: (home: TestHome, known: { head: number | undefined; held: number | undefined; snapshots: SnapshotRecord[] }) => Promise<void>,
): Promise<Recovered> {
  const home = await TestHome.create({});
  try {
    for (const [name, peer] of first.peers) home.peers.set(name, peer);
    const [one] = await withIndex(home, (index) => recover(recoverRun(home, index, options)));
    await withIndex(home, async (index) => {
      const { head, held } = index.repository('test') ?? {};
      return { head, held, snapshots: snapshotsOf(index) };
    }).then((known) => look(home, known));
    return one as Recovered;
  } finally {
    home.remove();
  }
}

test('what the gate held back in the lost home is held back in the new one, and the newest of the others is the head', async () => {
  const [, old, good, torn] = await snapshots('', 'lost\n', 'index\n', 'gone\n');
  assert.deepEqual(
    [old, good, torn].map((one) => isHeld(one as SnapshotRecord)),
    [true, false, true],
  );
  const heldBackOf = () => [asHeld(old as SnapshotRecord), asHeld(torn as SnapshotRecord, 7)];
  const back = await recovered({ heldBackOf }, async (home, known) => {
    assert.deepEqual([known.head, known.held], [3, 4]);
    assert.deepEqual(known.snapshots.map(isHeld), [false, true, false, true]);
    assert.equal(known.snapshots[3]?.gate?.count, 7);
    assert.equal(readFileSync(join(home.dir, 'heads', 'test'), 'utf8').trim(), good?.cid);
    // The source is as it was: its tree is judged anew, and held back for what is found.
    const { summary } = await home.add(dir, { gate: new FakeGate().order() });
    assert.deepEqual([summary.gate?.outcome, summary.gate?.count], ['held', 1]);
    writeFileSync(join(dir, 'gone'), '');
    assert.equal((await home.add(dir, { gate: new FakeGate().order() })).summary.gate?.outcome, 'passed');
    assert.deepEqual(await home.damage(), []);
  });
  assert.deepEqual([back.snapshots, back.number, back.heldBack, back.snapshot], [4, 3, 4, good?.cid]);
});

test('where all are held back there is no head until one is accepted', async () => {
  const [torn] = await snapshots('gone\n');
  const back = await recovered({ heldBackOf: () => [asHeld(torn as SnapshotRecord)] }, async (home, known) => {
    assert.deepEqual([known.head, known.held], [0, 1]);
    assert.ok(!existsSync(join(home.dir, 'heads', 'test')));
    await acceptIn(home, 1);
    assert.equal(readFileSync(join(home.dir, 'heads', 'test'), 'utf8').trim(), torn?.cid);
  });
  assert.deepEqual([back.number, back.heldBack, back.snapshot], [0, 1, torn?.cid]);
});

test('a note can name no snapshot that is not there, and a head that heads/ knows stays the head', async () => {
  const [good, torn] = await snapshots('', 'gone\n');
  const stranger = { tree: 'bafkqaaa', time: (torn as SnapshotRecord).time, count: 1 };
  const elsewhen = { tree: (torn as SnapshotRecord).tree, time: '2099-01-01T00:00:00.000Z', count: 1 };
  await recovered({ heldBackOf: () => [stranger, elsewhen] }, async (_, known) => {
    assert.deepEqual([known.head, known.held, known.snapshots.some(isHeld)], [2, undefined, false]);
  });
  const all = [good, torn].map((one) => asHeld(one as SnapshotRecord));
  await recovered({ heldBackOf: () => all, headOf: () => good?.cid }, async (_, known) => {
    assert.deepEqual([known.head, known.held], [1, 2]);
  });
});
