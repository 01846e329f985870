/** Two homes on one local peer, step by step: whoever has put a shard and not removed it finds it, whatever the other does meanwhile. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, test } from 'node:test';
import fc from 'fast-check';
import { install, interleave } from '../testing/interleave.ts';
import { OTHER_OWNER, TEST_OWNER } from '../testing/owner.ts';
import { cidsOf, scanOf } from '../testing/peer-reading.ts';
import { makeBlocks, makeShard } from '../testing/shards.ts';
import { LocalPeer } from './local.ts';
import type { PeerLayout } from './local-identity.ts';

const OWNERS = [TEST_OWNER, OTHER_OWNER];

/** What a home does with one of the shards. */
const step = fc.record({ does: fc.constantFrom('put', 'put', 'remove', 'hold'), shard: fc.nat(1) });
const scenario = fc.record({
  plans: fc.tuple(fc.array(step, { minLength: 1, maxLength: 4 }), fc.array(step, { minLength: 1, maxLength: 4 })),
  choices: fc.infiniteStream(fc.nat(1000)),
  /** After how many operations somebody dies; mostly nobody does. */
  death: fc.option(fc.nat(120), { nil: Number.POSITIVE_INFINITY }),
});

before(install);

for (const layout of ['car', 'blockstore'] as const) {
  test(`a shard that a home has put and not removed is there, however two homes come across each other: ${layout}`, async () => {
    await fc.assert(
      fc.asyncProperty(scenario, async (it) => await play(layout, it)),
      { numRuns: 40, interruptAfterTimeLimit: 20_000 },
    );
  });
}

type Plan = { readonly does: string; readonly shard: number }[];

async function play(
  layout: PeerLayout,
  { plans, choices, death }: { plans: readonly [Plan, Plan]; choices: Iterable<number>; death: number },
): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'shardctl-sharing-'));
  try {
    const blocks = makeBlocks(4, 60);
    // Some blocks are in both.
    const shards = [makeShard(dir, blocks.slice(0, 3)), makeShard(dir, blocks.slice(1))];
    const path = join(dir, 'peer');
    await LocalPeer.create({ owner: TEST_OWNER, name: 'shared', path, layout });
    /** By home: the shards that it counts on. */
    const counted = OWNERS.map(() => new Set<number>());
    const picks = choices[Symbol.iterator]();
    let operations = 0;
    const choose = (most: number) => ({ at: (picks.next().value as number) % most, dies: operations++ === death });
    const homes = OWNERS.map((owner, home) => async () => {
      const peer = new LocalPeer({ owner, name: 'shared', path, layout });
      for (const { does, shard: at } of plans[home] as Plan) {
        const shard = shards[at] as (typeof shards)[0];
        if (does === 'remove') {
          counted[home]?.delete(at);
          await peer.remove(shard.cid);
        } else if (does === 'put') {
          await peer.put(shard, { mayConsume: false, signal: new AbortController().signal });
          counted[home]?.add(at);
        } else {
          await peer.hold([shard.cid]);
          if (await peer.has(shard.cid)) counted[home]?.add(at);
        }
      }
    });
    await interleave(homes, choose);
    for (const [home, owner] of OWNERS.entries()) {
      const peer = new LocalPeer({ owner, name: 'shared', path, layout });
      const listed = await cidsOf(peer);
      for (const at of counted[home] as Set<number>) {
        const shard = shards[at] as (typeof shards)[0];
        assert.ok(listed.includes(shard.cid), `home ${home} does not find shard ${at}`);
        const { blocks: read, damage } = await scanOf(peer, shard);
        assert.deepEqual([read.length, damage], [shard.blocks, []], `home ${home}, shard ${at}`);
      }
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
