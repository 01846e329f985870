import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ShardRecord } from '../../core/model.ts';
import { COLLIDING } from '../../testing/colliding.ts';
import { CountedBlocks } from './counted-blocks.ts';

const record = fc.record({
  state: fc.constantFrom('sealed' as const, 'placed' as const, 'committed' as const, 'lost' as const),
  bad: fc.option(fc.uniqueArray(fc.nat(COLLIDING.length - 1), { maxLength: 5 }), { nil: undefined }),
});

test('a block counts in a shard that is placed or committed, unless it is among those that the record calls bad', () => {
  fc.assert(
    fc.property(fc.array(record, { maxLength: 6 }), fc.nat(7), fc.nat(20), (records, added, at) => {
      const shards = records.map(({ state, bad }, number): ShardRecord => {
        const sizes = { bytes: 1, blocks: 1, dagSize: 1, carBytes: 1 };
        const listed = bad === undefined ? {} : { bad: bad.map((i) => COLLIDING[i]?.toString('hex') ?? '') };
        return { number, cid: `${number}`, ...sizes, state, peers: [], ...listed };
      });
      const counted = new CountedBlocks((shard) => shards[shard]);
      // A shard that was placed after the records were read is whole.
      counted.add(added);
      for (const [i, digest] of COLLIDING.entries()) {
        const bytes = Buffer.concat([Buffer.alloc(at), digest]);
        for (let shard = 0; shard < 8; shard++) {
          const it = records[shard];
          const counts = it !== undefined && (it.state === 'placed' || it.state === 'committed') && it.bad?.includes(i) !== true;
          assert.equal(counted.isIn(shard, bytes, at), shard === added || counts, `block ${i} in shard ${shard}`);
        }
      }
    }),
    { numRuns: 30 },
  );
});

test('the record of a shard is read when a block is first looked for in it, once, and no other one is', () => {
  const asked: number[] = [];
  const counted = new CountedBlocks((shard) => void asked.push(shard));
  counted.add(1);
  for (const shard of [1, 2, 2]) counted.isIn(shard, COLLIDING[0] as Buffer, 0);
  assert.deepEqual(asked, [2]);
});
