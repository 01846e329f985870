import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { sha256 } from '../dag/cid.ts';
import { BlockSet } from './block-set.ts';
import { DAG_PB, RAW } from './model.ts';

test('a set of blocks tells a leaf from a node of the same bytes, and has each digest once', () => {
  const met = fc.record({ codec: fc.constantFrom(RAW, DAG_PB), n: fc.nat(300) });
  fc.assert(
    fc.property(fc.array(met, { maxLength: 2000 }), (blocks) => {
      const set = new BlockSet();
      const model = new Set<string>();
      for (const { codec, n } of blocks) {
        const digest = sha256(Buffer.from(String(n)));
        assert.equal(set.add({ codec, digest }), !model.has(`${codec} ${n}`));
        model.add(`${codec} ${n}`);
      }
      assert.equal(set.size, model.size);
      const once = [...new Set(blocks.map(({ n }) => n))].map((n) => sha256(Buffer.from(String(n))));
      assert.deepEqual(Buffer.from(set.digests.digests()), Buffer.concat(once));
    }),
    { numRuns: 50 },
  );
});
