import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { COLLIDING, digestsOf, eachDigest, someColliding } from '../testing/colliding.ts';
import { DigestMap } from './digest-map.ts';

const digestOf = (n: number): Buffer => createHash('sha256').update(String(n)).digest();

test('a digest map holds exactly what was added, in the order of adding, whenever room is made, and never takes a digest twice', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(3000), { maxLength: 4000 }), fc.nat(4000), fc.nat(5000), (numbers, when, room) => {
      const map = new DigestMap();
      const model = new Map<number, number>();
      for (const [value, n] of numbers.entries()) {
        if (value === when) map.reserve(room);
        assert.equal(map.add(digestOf(n), 0, value), !model.has(n));
        if (!model.has(n)) model.set(n, value);
      }
      assert.equal(map.size, model.size);
      for (let n = 0; n < 3000; n += 7) assert.equal(map.get(digestOf(n)), model.get(n));
      assert.deepEqual([...map.values()], [...model.values()]);
      assert.deepEqual(Buffer.concat([...model.keys()].map(digestOf)), Buffer.from(map.digests()));
    }),
    { numRuns: 20 },
  );
});

test('the value of a digest can be set again, and nothing else changes', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(2000), { maxLength: 4000 }), (numbers) => {
      const map = new DigestMap();
      const model = new Map<number, number>();
      for (const [value, n] of numbers.entries()) {
        map.set(digestOf(n), 0, value);
        model.set(n, value);
      }
      assert.deepEqual([...map.values()], [...model.values()]);
      assert.deepEqual(Buffer.concat([...model.keys()].map(digestOf)), Buffer.from(map.digests()));
    }),
    { numRuns: 20 },
  );
});

test('so it is with digests of which many begin alike, at whatever offset they stand', () => {
  fc.assert(
    fc.property(fc.array(someColliding, { maxLength: 6 }), fc.nat(40), (picks, at) => {
      const map = new DigestMap();
      const model = new Map<string, number>();
      for (const digest of picks.flatMap((pick) => [...eachDigest(digestsOf(pick))])) {
        const bytes = Buffer.concat([Buffer.alloc(at, 7), digest]);
        const key = digest.toString('hex');
        assert.equal(map.add(bytes, at, model.size), !model.has(key));
        if (!model.has(key)) model.set(key, model.size);
      }
      for (const digest of COLLIDING) assert.equal(map.get(digest), model.get(digest.toString('hex')));
      assert.equal(map.digests().toString('hex'), [...model.keys()].join(''));
      assert.deepEqual([...map.values()], [...model.values()]);
    }),
    { numRuns: 30 },
  );
});

test('digests are read at the offset where they stand', () => {
  const map = new DigestMap();
  const bytes = Buffer.concat([Buffer.alloc(5), digestOf(1)]);
  map.add(bytes, 5, 42);
  assert.equal(map.get(digestOf(1)), 42);
  assert.equal(map.get(bytes, 5), 42);
  assert.equal(map.get(bytes, 4), undefined);
});

test('a map has room for the next power of two of its digests, and no more', () => {
  const map = new DigestMap();
  for (let n = 1; n <= 2500; n++) {
    map.add(digestOf(n), 0, n);
    const room = Math.max(8, 2 ** Math.ceil(Math.log2(n)));
    // Less than half of it is a part of the memory that Node shares out among small Buffers: 8 KiB in Node 20, 64 in later ones.
    assert.equal(map.digests().buffer.byteLength, 32 * room < Buffer.poolSize / 2 ? Buffer.poolSize : 32 * room);
  }
  const reserved = new DigestMap();
  reserved.reserve(4096);
  assert.equal(reserved.digests().buffer.byteLength, 32 * 4096);
});
