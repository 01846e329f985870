import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { COLLIDING, digestsOf, type Pick, someColliding } from '../../testing/colliding.ts';
import { sampled } from '../../testing/depth.ts';
import { PREFIX_BYTES, RECORD_BYTES, sortedRecords } from './records.ts';
import { Segment, SegmentWriter, soundPages } from './segment.ts';

let dir: string;
before(() => {
  dir = mkdtempSync(join(tmpdir(), 'shardctl-segment-'));
});
after(() => rmSync(dir, { recursive: true }));

interface Row {
  readonly record: Buffer;
  readonly prefix: string;
  readonly shard: number;
}

const picks = fc.array(someColliding, { minLength: 1, maxLength: 4 }).filter((all) => all.some(({ count }) => count > 0));

/** Rows of several shards in the order of a segment: by digest, and of one digest as they come. */
function rowsOfAll(all: readonly Pick[]): Row[] {
  return all
    .flatMap((pick, shard) => rowsOf(sortedRecords(shard, digestsOf(pick)), shard))
    .sort((a, b) => (a.prefix < b.prefix ? -1 : a.prefix > b.prefix ? 1 : 0));
}

function rowsOf(records: Buffer, shard: number): Row[] {
  return Array.from({ length: records.length / RECORD_BYTES }, (_, i) => {
    const record = records.subarray(i * RECORD_BYTES, (i + 1) * RECORD_BYTES);
    return { record, prefix: record.toString('hex', 0, PREFIX_BYTES), shard };
  });
}

function written(all: readonly Row[]): Segment {
  const path = join(dir, 'a.run');
  const writer = new SegmentWriter(path);
  for (const { record } of all) writer.add(record, 0);
  assert.equal(writer.finish(), true);
  return new Segment(path);
}

test('a segment finds of each digest the first usable shard, whatever stands before and after it, and no other digest', () => {
  fc.assert(
    fc.property(picks, fc.boolean(), fc.subarray([0, 1, 2, 3]), (shards, filtered, usable) => {
      const all = rowsOfAll(shards);
      const segment = written(all);
      if (filtered) segment.loadFilter(12);
      const model = new Map<string, number>();
      for (const { prefix, shard } of all) if (!model.has(prefix) && usable.includes(shard)) model.set(prefix, shard);
      for (const digest of COLLIDING) {
        const found = segment.get(digest, 0, (shard) => usable.includes(shard));
        assert.equal(found, model.get(digest.toString('hex', 0, PREFIX_BYTES)), digest.toString('hex'));
      }
      segment.close();
    }),
    { numRuns: 60 },
  );
});

test('the records of a segment come out as they went in', () => {
  fc.assert(
    fc.property(picks, (shards) => {
      const all = rowsOfAll(shards);
      const segment = written(all);
      assert.equal(segment.records, all.length);
      const out = Array.from(segment.chunks(), (chunk) => Buffer.from(chunk));
      assert.deepEqual(Buffer.concat(out), Buffer.concat(all.map(({ record }) => record)));
      segment.close();
    }),
    { numRuns: 60 },
  );
});

test('one digest in more shards than a page has records is found in each of them', () => {
  const [low, digest, high] = [Buffer.alloc(32, 1), Buffer.alloc(32, 1).fill(2, 10), Buffer.alloc(32, 1).fill(3, 10)];
  const shards = Array.from({ length: 500 }, (_, shard) => rowsOf(sortedRecords(shard, digest as Buffer), shard)).flat();
  const segment = written([
    ...rowsOf(sortedRecords(900, low as Buffer), 900),
    ...shards,
    ...rowsOf(sortedRecords(901, high as Buffer), 901),
  ]);
  for (const { shard } of shards) {
    assert.equal(
      segment.get(digest as Buffer, 0, (it) => it === shard),
      shard,
    );
  }
  assert.equal(
    segment.get(high as Buffer, 0, () => true),
    901,
  );
  segment.close();
});

test('a segment without records is no file', () => {
  const path = join(dir, 'empty.run');
  assert.equal(new SegmentWriter(path).finish(), false);
  assert.deepEqual(
    readdirSync(dir).filter((name) => name.startsWith('empty')),
    [],
  );
});

test('a flipped bit anywhere is damage, and every page but its own can still be had', () => {
  const all = rowsOfAll([{ from: 0, count: 500, step: 1 }]);
  const { path } = written(all);
  const good = readFileSync(path);
  for (let at = 0; at < good.length; at += sampled(9, 1)) {
    const bytes = Buffer.from(good);
    bytes[at] = (bytes[at] as number) ^ (1 << (at % 8));
    writeFileSync(path, bytes);
    assert.throws(() => checked(path), { code: 'DAMAGE', hint: /shardctl repair/ }, `byte ${at}`);
    if (at % 61 !== 0) continue;
    const kept = Buffer.concat(Array.from(soundPages(path), (page) => Buffer.from(page)));
    const page = Math.floor(at / 4096);
    const left = all.filter((_, i) => Math.floor(i / 170) !== page);
    assert.deepEqual(kept, Buffer.concat(left.map(({ record }) => record)), `byte ${at}`);
  }
});

test('pages that have changed places are damage', () => {
  const { path } = written(rowsOfAll([{ from: 0, count: 500, step: 1 }]));
  const bytes = readFileSync(path);
  const first = Buffer.from(bytes.subarray(0, 4096));
  bytes.copyWithin(0, 4096, 8192);
  first.copy(bytes, 4096);
  writeFileSync(path, bytes);
  assert.throws(() => checked(path), { code: 'DAMAGE' });
  assert.equal([...soundPages(path)].length, 2, 'of two that are in the wrong order, the first is taken');
});

function checked(path: string): void {
  const segment = new Segment(path);
  try {
    segment.check();
  } finally {
    segment.close();
  }
}
