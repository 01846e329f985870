import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { COLLIDING, digestsOf, eachDigest, someColliding } from '../../testing/colliding.ts';
import { BITS_PER_BLOCK, BlockFilter } from './filter.ts';

test('a filter denies nothing that was added, however full it is, and wherever the digest stands', () => {
  fc.assert(
    fc.property(someColliding, fc.nat(20_000), fc.nat(40), (pick, bits, at) => {
      const filter = new BlockFilter(bits);
      const bytes = Buffer.concat([Buffer.alloc(at), digestsOf(pick)]);
      for (let i = at; i < bytes.length; i += 32) filter.add(bytes, i);
      for (const digest of eachDigest(digestsOf(pick))) assert.ok(filter.mayHave(digest, 0));
    }),
  );
});

test('an empty filter denies everything', () => {
  const filter = new BlockFilter(0);
  for (const digest of COLLIDING) assert.equal(filter.mayHave(digest, 0), false);
});

test('of digests that were not added it lets fewer than one in a hundred through', () => {
  const digestOf = (n: number) => createHash('sha256').update(`${n}`).digest();
  const filter = new BlockFilter(20_000 * BITS_PER_BLOCK);
  for (let n = 0; n < 20_000; n++) filter.add(digestOf(n), 0);
  let passed = 0;
  for (let n = 20_000; n < 40_000; n++) if (filter.mayHave(digestOf(n), 0)) passed++;
  assert.ok(passed < 200, `${passed} of 20000`);
});
