import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { isDamage } from '../../core/errors.ts';
import { Turns } from '../../core/event-loop.ts';
import { COLLIDING, digestsOf, eachDigest, type Pick, someColliding } from '../../testing/colliding.ts';
import { sampled } from '../../testing/depth.ts';
import { type BlockPlaces, encodeOffsets, type Offset, Offsets } from './offsets-file.ts';

const SHARD = COLLIDING[0] as Buffer;
const OTHER = COLLIDING[1] as Buffer;
/** Of a digest, as much as the file has. */
const PREFIX = 7;
const MOST_AT = 2 ** 48 - 1;
const MOST_LENGTH = 2 ** 24 - 1;

const dir = mkdtempSync(join(tmpdir(), 'shardctl-offsets-'));
after(() => rmSync(dir, { recursive: true, force: true }));

/** Offsets and lengths that need all of their bytes. */
function placesOf(digests: Buffer): BlockPlaces {
  const count = digests.length / 32;
  return {
    digests,
    at: Array.from({ length: count }, (_, i) => (i % 2 === 0 ? i * 1000 : MOST_AT - i)),
    lengths: Array.from({ length: count }, (_, i) => (i % 3 === 0 ? i : MOST_LENGTH - i)),
  };
}

const encoded = (places: BlockPlaces) => encodeOffsets(SHARD, places, new Turns(undefined));

function findAll(offsets: Offsets, digest: Buffer): Offset[] {
  const all: Offset[] = [];
  for (let found = offsets.find(digest); found !== undefined && all.length < COLLIDING.length; found = offsets.find(digest, all.length))
    all.push(found);
  return all;
}

/** By the first bytes of a digest, the obvious way. */
function model({ digests, at, lengths }: BlockPlaces): Map<string, string[]> {
  const all = new Map<string, string[]>();
  for (const [i, digest] of [...eachDigest(digests as Buffer)].entries()) {
    const key = digest.toString('hex', 0, PREFIX);
    all.set(key, [...(all.get(key) ?? []), `${at[i]} ${lengths[i]}`]);
  }
  return all;
}

function assertAsModel(offsets: Offsets, places: BlockPlaces, step: number): void {
  const all = model(places);
  for (const [at, digest] of COLLIDING.entries()) {
    if (at % step !== 0) continue;
    const expected = all.get(digest.toString('hex', 0, PREFIX)) ?? [];
    const found = findAll(offsets, digest);
    assert.deepEqual(found.map(({ at, length }) => `${at} ${length}`).sort(), expected.toSorted());
    // "The only one" must be true; to doubt it without need only costs a second look.
    for (const { isOnly } of found) assert.ok(!isOnly || expected.length === 1 || found.at(-1)?.isOnly === isOnly);
    if (expected.length > 1) assert.equal(found[0]?.isOnly, false);
  }
}

test('a law: what is found is what a plain map has, however many digests begin alike, from a file and from memory', async () => {
  await fc.assert(
    fc.asyncProperty(someColliding, async (pick: Pick) => {
      const unique = Buffer.concat([
        ...new Map([...eachDigest(digestsOf(pick))].map((digest) => [digest.toString('hex'), digest])).values(),
      ]);
      const places = placesOf(unique);
      const file = await encoded(places);
      assertAsModel(new Offsets(file, SHARD), places, sampled(11, 1));
      const path = join(dir, 'offsets');
      writeFileSync(path, file);
      const fd = openSync(path, 'r');
      try {
        assertAsModel(new Offsets(fd, SHARD), places, sampled(13, 1));
      } finally {
        closeSync(fd);
      }
    }),
    { numRuns: sampled(10, 50) },
  );
});

test('a law: a file that is cut, changed or grown is damage, or every answer it gives is the right one', async () => {
  const places = placesOf(digestsOf({ from: 0, count: 700, step: 5 }));
  const file = await encoded(places);
  const all = model(places);
  const harm = fc.oneof(
    fc.record({ kind: fc.constant('cut' as const), at: fc.nat(file.length - 1), bit: fc.nat(7) }),
    fc.record({ kind: fc.constant('flip' as const), at: fc.nat(file.length - 1), bit: fc.nat(7) }),
    fc.record({ kind: fc.constant('grow' as const), at: fc.integer({ min: 1, max: 9000 }), bit: fc.nat(7) }),
  );
  fc.assert(
    fc.property(harm, ({ kind, at, bit }) => {
      const bytes = kind === 'grow' ? Buffer.concat([file, Buffer.alloc(at)]) : Buffer.from(kind === 'cut' ? file.subarray(0, at) : file);
      if (kind === 'flip') bytes[at] = (bytes[at] as number) ^ (1 << bit);
      try {
        const offsets = new Offsets(bytes, SHARD);
        for (const digest of COLLIDING) {
          const expected = all.get(digest.toString('hex', 0, PREFIX)) ?? [];
          assert.deepEqual(
            findAll(offsets, digest)
              .map(({ at: its, length }) => `${its} ${length}`)
              .sort(),
            expected.toSorted(),
          );
        }
      } catch (error) {
        if (!isDamage(error)) throw error;
      }
    }),
    { numRuns: 150 },
  );
});

test('the file of another shard is damage, and one without blocks finds nothing', async () => {
  const file = await encoded(placesOf(digestsOf({ from: 0, count: 3, step: 1 })));
  assert.throws(() => new Offsets(file, OTHER), { code: 'DAMAGE' });
  assert.equal(new Offsets(await encoded(placesOf(Buffer.alloc(0))), SHARD).find(SHARD), undefined);
});
