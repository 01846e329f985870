import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { COLLIDING, digestsOf, type Pick, someColliding } from '../testing/colliding.ts';
import { PREFIX_BYTES, RECORD_BYTES, sortedRecords } from './block-records.ts';
import { BlockRun, BlockRunWriter } from './block-run.ts';

let dir: string;
before(() => {
  dir = mkdtempSync(join(tmpdir(), 'shardctl-run-'));
});
after(() => rmSync(dir, { recursive: true }));

interface Row {
  readonly record: Buffer;
  readonly prefix: string;
  readonly shard: number;
}

const picks = fc.array(someColliding, { maxLength: 4 });

/** Rows of several shards in the order of a run: by digest, and of one digest as they come. */
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

function written(all: readonly Row[]): BlockRun {
  const path = join(dir, 'a.run');
  const writer = new BlockRunWriter(path);
  for (const { record } of all) writer.add(record, 0);
  writer.finish();
  return new BlockRun(path);
}

test('a run finds of each digest the first usable shard, whatever stands before and after it, and no other digest', () => {
  fc.assert(
    fc.property(picks, fc.boolean(), fc.subarray([0, 1, 2, 3]), (shards, filtered, usable) => {
      const all = rowsOfAll(shards);
      const run = written(all);
      if (filtered) run.loadFilter(12);
      const model = new Map<string, number>();
      for (const { prefix, shard } of all) if (!model.has(prefix) && usable.includes(shard)) model.set(prefix, shard);
      for (const digest of COLLIDING) {
        const found = run.get(digest, 0, (shard) => usable.includes(shard));
        assert.equal(found, model.get(digest.toString('hex', 0, PREFIX_BYTES)), digest.toString('hex'));
      }
      run.close();
    }),
    { numRuns: 60 },
  );
});

test('the records of a run come out as they went in', () => {
  fc.assert(
    fc.property(picks, (shards) => {
      const all = rowsOfAll(shards);
      const run = written(all);
      assert.equal(run.records, all.length);
      const out = [...run.chunks()].map((chunk) => Buffer.from(chunk));
      assert.deepEqual(Buffer.concat(out), Buffer.concat(all.map(({ record }) => record)));
      run.close();
    }),
    { numRuns: 60 },
  );
});

test('one digest in more shards than a page has records is found in each of them', () => {
  const [low, digest, high] = [Buffer.alloc(32, 1), Buffer.alloc(32, 1).fill(2, 10), Buffer.alloc(32, 1).fill(3, 10)];
  const shards = Array.from({ length: 500 }, (_, shard) => rowsOf(sortedRecords(shard, digest as Buffer), shard)).flat();
  const run = written([...rowsOf(sortedRecords(900, low as Buffer), 900), ...shards, ...rowsOf(sortedRecords(901, high as Buffer), 901)]);
  for (const { shard } of shards) {
    assert.equal(
      run.get(digest as Buffer, 0, (it) => it === shard),
      shard,
    );
  }
  assert.equal(
    run.get(high as Buffer, 0, () => true),
    901,
  );
  run.close();
});
