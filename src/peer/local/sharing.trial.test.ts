/** Two homes on one local peer, step by step: a home that has put a shard and not removed it finds it, whatever the other does meanwhile. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, test } from 'node:test';
import fc from 'fast-check';
import type { Owner } from '../../core/model.ts';
import { sampled } from '../../testing/depth.ts';
import { install, interleave } from '../../testing/interleave.ts';
import { OTHER_OWNER, TEST_OWNER } from '../../testing/owner.ts';
import { cidsOf, scanOf } from '../../testing/peer-reading.ts';
import { makeBlocks, makeShard, type TestShard } from '../../testing/shards.ts';
import type { PeerLayout } from './directory/identity.ts';
import { LocalPeer } from './local.ts';

const keep = { mayConsume: false, signal: new AbortController().signal };
const OWNERS = [TEST_OWNER, OTHER_OWNER];

/** What a home does with one of the shards. */
const step = fc.record({ does: fc.constantFrom('put', 'remove', 'mark'), shard: fc.nat(1) });
const plan = fc.array(step, { minLength: 1, maxLength: 3 });
const scenario = fc.record({
  /** Shards that a home has put before. */
  before: fc.array(fc.record({ home: fc.nat(1), shard: fc.nat(1) }), { maxLength: 3 }),
  plans: fc.tuple(plan, plan),
  /** How many operations one home does before the other has its turn. */
  stretches: fc.array(fc.nat(40), { maxLength: 6 }),
  /** After how many operations the home that has the turn dies. */
  death: fc.option(fc.nat(120), { nil: Number.POSITIVE_INFINITY }),
});

type Scenario = typeof scenario extends fc.Arbitrary<infer T> ? T : never;

before(install);

for (const layout of ['car', 'blockstore'] as const) {
  test(`a shard that a home has put and not removed is there, in whatever order two homes take turns: ${layout}`, async () => {
    await fc.assert(
      fc.asyncProperty(scenario, async (it) => void (await play(layout, it))),
      { numRuns: sampled(6, 150), interruptAfterTimeLimit: 6_000 },
    );
  });
}

/** One home is held up after each of its operations, and the other does all of its plan before the first goes on. */
for (const layout of ['car', 'blockstore'] as const) {
  for (const [removed, taken] of [
    [0, 0],
    [0, 1],
  ] as const) {
    for (const does of ['put', 'mark'] as const) {
      test(`a removal that is held up anywhere takes nothing that is ${does === 'mark' ? 'marked' : 'put'} meanwhile: ${layout}, ${removed === taken ? 'the same shard' : 'one with the same blocks'}`, async () => {
        const plans: Scenario['plans'] = [[{ does: 'remove', shard: removed }], [{ does, shard: taken }]];
        const before = [{ home: 0, shard: 0 }, ...(does === 'mark' ? [{ home: 0, shard: taken }] : [])];
        const alone = await play(layout, { before, plans, stretches: [1000], death: Number.POSITIVE_INFINITY });
        for (let stop = 0; stop <= alone; stop += sampled(9, 1))
          await play(layout, { before, plans, stretches: [stop, 1000], death: Number.POSITIVE_INFINITY });
      });
    }
  }
}

/** @returns how many operations the first home's plan took */
async function play(layout: PeerLayout, { before: earlier, plans, stretches, death }: Scenario): Promise<number> {
  const dir = mkdtempSync(join(tmpdir(), 'shardctl-sharing-'));
  try {
    const blocks = makeBlocks(4, 60);
    // The two shards share some blocks.
    const shards = [makeShard(dir, blocks.slice(0, 3)), makeShard(dir, blocks.slice(1))];
    const path = join(dir, 'peer');
    await LocalPeer.create({ owner: TEST_OWNER, name: 'shared', path, layout });
    const peerOf = (home: number) => new LocalPeer({ owner: OWNERS[home] as Owner, name: 'shared', path, layout });
    /** By home, the shards on which it counts. */
    const counted = OWNERS.map(() => new Set<number>());
    for (const { home, shard } of earlier) {
      await peerOf(home).put(shards[shard] as TestShard, keep);
      counted[home]?.add(shard);
    }
    let operations = 0;
    let operationsOfFirst = 0;
    const turns = [...stretches];
    let left = turns.shift();
    let turn = 0;
    const choose = (able: readonly number[]) => {
      if (left !== undefined && left <= 0) {
        left = turns.shift();
        turn = 1 - turn;
      }
      if (left !== undefined) left--;
      const actor = able.includes(turn) ? turn : (able[0] ?? turn);
      if (actor === 0) operationsOfFirst++;
      return { actor, dies: operations++ === death };
    };
    const homes = OWNERS.map((_, home) => async () => {
      const peer = peerOf(home);
      for (const { does, shard: at } of plans[home] as Scenario['plans'][0]) {
        const shard = shards[at] as TestShard;
        if (does === 'remove') {
          counted[home]?.delete(at);
          await peer.remove(shard.cid);
        } else if (does === 'put') {
          await peer.put(shard, keep);
          counted[home]?.add(at);
        } else {
          await peer.mark([shard.cid]);
          if (await peer.has(shard.cid)) counted[home]?.add(at);
        }
      }
    });
    await interleave(homes, choose);
    for (const home of [0, 1]) {
      const peer = peerOf(home);
      const listed = await cidsOf(peer);
      for (const at of counted[home] as Set<number>) {
        const shard = shards[at] as TestShard;
        assert.ok(listed.includes(shard.cid), `home ${home} does not find shard ${at}`);
        const { blocks: read, damage } = await scanOf(peer, shard);
        assert.deepEqual([read.length, damage], [shard.blocks, []], `home ${home}, shard ${at}`);
      }
    }
    return operationsOfFirst;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
