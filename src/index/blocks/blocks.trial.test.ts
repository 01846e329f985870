import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import fc from 'fast-check';
import { COLLIDING, digestsOf, eachDigest, someColliding } from '../../testing/colliding.ts';
import { answersOf } from '../../testing/counted-blocks.ts';
import { sampled } from '../../testing/depth.ts';
import { BlockTable } from './blocks.ts';
import { PREFIX_BYTES } from './records.ts';
import { removeUnfinished } from './segment-files.ts';

/** More of them with `SHARDCTL_TEST_BLOCKS`: docs/development.md. */
const COUNTED_BLOCKS = Number(process.env.SHARDCTL_TEST_BLOCKS ?? sampled(40_000, 600_000));

const digestOf = (n: number): Buffer => createHash('sha256').update(String(n)).digest();
const digests = (from: number, to: number): Buffer => Buffer.concat(Array.from({ length: to - from }, (_, i) => digestOf(from + i)));
const any = () => true;
const all = () => new Set(Array.from({ length: 100 }, (_, shard) => shard));

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'shardctl-blocks-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

test('every block is found in its shard and no other block is found, also across merges and a reopening', () => {
  const perShard = 700;
  const shards = 70; // more than eight segments of eight: two tiers
  let table = new BlockTable(dir);
  for (let shard = 0; shard < shards; shard++) table.add(shard, digests(shard * perShard, (shard + 1) * perShard), all);
  const check = () => {
    for (let n = 0; n < shards * perShard; n += 13) assert.equal(table.get(digestOf(n), 0, any), Math.floor(n / perShard));
    for (let n = 0; n < 1000; n++) assert.equal(table.get(digestOf(-1 - n), 0, any), undefined);
  };
  check();
  assert.ok(readdirSync(dir).length < 16, 'segments are merged');
  table.close();
  table = new BlockTable(dir, { readOnly: true });
  check();
  table.close();
});

test(`of ${COUNTED_BLOCKS} blocks each is found in its shard, and as many others are not`, () => {
  assert.deepEqual(answersOf(dir, COUNTED_BLOCKS).wrong, []);
});

test('a block takes 24 bytes on disk, and little more', () => {
  const table = new BlockTable(dir);
  table.add(0, digests(0, 50_000), all);
  table.close();
  const bytes = readdirSync(dir).reduce((sum, name) => sum + statSync(join(dir, name)).size, 0);
  assert.ok(bytes / 50_000 < 24.5, `${bytes / 50_000} bytes a block`);
});

test('a record of a shard that does not count hides no other record of the same block', () => {
  const table = new BlockTable(dir);
  for (let shard = 0; shard < 9; shard++) table.add(shard, digests(0, 10), all);
  assert.equal(
    table.get(digestOf(3), 0, (shard) => shard === 5),
    5,
  );
  assert.equal(
    table.get(digestOf(3), 0, (shard) => shard === 8),
    8,
  );
  assert.equal(
    table.get(digestOf(3), 0, () => false),
    undefined,
  );
  table.close();
});

test('the table answers as a map does: across merges, reopenings and dropped shards, for each set of usable shards', () => {
  const step = fc.record({ pick: someColliding, drop: fc.option(fc.nat(40)), reopen: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 20 }), fc.nat(7), (steps, salt) => {
      const path = mkdtempSync(join(dir, 'law-'));
      const model = new Map<string, Set<number>>();
      const there = new Set<number>();
      let table = new BlockTable(path);
      for (const [shard, { pick, drop, reopen }] of steps.entries()) {
        there.add(shard);
        table.add(shard, digestsOf(pick), () => there);
        for (const digest of eachDigest(digestsOf(pick))) {
          const prefix = digest.toString('hex', 0, PREFIX_BYTES);
          model.set(prefix, (model.get(prefix) ?? new Set()).add(shard));
        }
        if (drop !== null) there.delete(drop);
        if (!reopen) continue;
        table.close();
        table = new BlockTable(path);
      }
      const isUsable = (shard: number) => there.has(shard) && (shard + salt) % 3 !== 0;
      for (const digest of COLLIDING) {
        const found = table.get(digest, 0, isUsable);
        const right = [...(model.get(digest.toString('hex', 0, PREFIX_BYTES)) ?? [])].filter(isUsable);
        assert.ok(found === undefined ? right.length === 0 : right.includes(found), `${digest.toString('hex')}: ${found} of ${right}`);
      }
      table.close();
    }),
    { numRuns: 25 },
  );
});

test('a table whose blocks were all dropped in a merge has none, and takes new ones', () => {
  const table = new BlockTable(dir);
  for (let shard = 0; shard < 8; shard++) table.add(shard, digests(shard * 10, shard * 10 + 10), () => new Set());
  for (let n = 0; n < 80; n++) assert.equal(table.get(digestOf(n), 0, any), undefined);
  table.add(8, digests(0, 10), all);
  assert.equal(table.get(digestOf(3), 0, any), 8);
  table.close();
});

test('a merge looks for the records of the shards in it, each once, however many shards there are', () => {
  const table = new BlockTable(dir);
  const asked: number[] = [];
  const has = (shard: number) => asked.push(shard) > 0;
  for (let shard = 0; shard < 8; shard++) table.add(shard * 1000, digests(shard * 10, shard * 10 + 10), () => ({ has }));
  assert.deepEqual(
    asked.toSorted((a, b) => a - b),
    [0, 1000, 2000, 3000, 4000, 5000, 6000, 7000],
  );
  table.close();
});

test('damaged segments are refused or set aside; mended, by one look for each shard in them, they have all but the bad pages, which can be listed again', () => {
  const table = new BlockTable(dir);
  for (let shard = 0; shard < 3; shard++) table.add(shard, digests(shard * 1000, (shard + 1) * 1000), all);
  table.close();
  const [path] = readdirSync(dir).map((name) => join(dir, name)) as [string];
  const bytes = readFileSync(path);
  bytes[5000] = (bytes[5000] as number) ^ 1;
  writeFileSync(path, bytes);

  const refusing = new BlockTable(dir);
  assert.throws(() => Array.from({ length: 1000 }, (_, n) => refusing.get(digestOf(n), 0, any)), { code: 'DAMAGE', message: /page 1 / });
  refusing.close();
  const aside = new BlockTable(dir, { checkBlocks: true });
  assert.deepEqual(
    aside.damaged.map((segment) => segment.path),
    [path],
  );
  const lost = () => Array.from({ length: 3000 }, (_, n) => n).filter((n) => aside.get(digestOf(n), 0, any) !== Math.floor(n / 1000));
  assert.equal(lost().length, 1000, 'the others are in use');
  const asked: number[] = [];
  aside.mend(() => ({ has: (shard) => asked.push(shard) > 0 }));
  assert.equal(asked.length, 1);
  assert.deepEqual([aside.damaged, lost().length], [[], 170]);
  aside.add(0, Buffer.concat(lost().map(digestOf)), all);
  assert.deepEqual(lost(), []);
  aside.close();
  const again = new BlockTable(dir, { checkBlocks: true });
  assert.deepEqual(again.damaged, []);
  again.close();
});

test('a segment of which nothing is left goes, and the numbers of segments go on', () => {
  const table = new BlockTable(dir);
  table.add(0, digests(0, 10), all);
  table.close();
  const [name] = readdirSync(dir) as [string];
  writeFileSync(join(dir, name), '');
  const mending = new BlockTable(dir, { checkBlocks: true });
  mending.mend(all);
  assert.deepEqual(readdirSync(dir), []);
  mending.add(0, digests(0, 10), all);
  assert.notDeepEqual(readdirSync(dir), [name]);
  mending.close();
});

test('half-written segments of a killed run are removed when nobody writes, and a torn segment is refused by name', () => {
  const table = new BlockTable(dir);
  table.add(0, digests(0, 1000), all);
  table.close();
  appendFileSync(join(dir, '0000000007.run.tmp'), 'half');
  removeUnfinished(dir);
  const reopened = new BlockTable(dir);
  assert.equal(reopened.get(digestOf(5), 0, any), 0);
  reopened.close();
  const [segment] = readdirSync(dir) as [string];
  assert.equal(readdirSync(dir).length, 1);
  writeFileSync(join(dir, 'notes.txt'), "somebody's own");
  new BlockTable(dir).close();
  assert.ok(readdirSync(dir).includes('notes.txt'), 'what is not ours stays');
  truncateSync(join(dir, segment), statSync(join(dir, segment)).size - 3);
  assert.throws(() => new BlockTable(dir), { code: 'DAMAGE', message: new RegExp(segment) });
});

test('blocks that are added in turns, several shards at once, are found as those added one by one; others have their turn meanwhile', async (t) => {
  // On a quick machine all of it is over before a turn is due: here time goes by with each look at the clock.
  let clock = 0;
  t.mock.method(performance, 'now', () => {
    clock += 25;
    return clock;
  });
  const perShard = 20_000;
  const table = new BlockTable(dir);
  let turns = 0;
  let isOver = false;
  const count = () => {
    turns++;
    if (!isOver) setImmediate(count);
  };
  setImmediate(count);
  const shards = Array.from({ length: 20 }, (_, shard) =>
    createHash('shake256', { outputLength: perShard * 32 })
      .update(`${shard}`)
      .digest(),
  );
  for (let shard = 0; shard < 16; shard += 4)
    await Promise.all([0, 1, 2, 3].map((more) => table.addInTurns(shard + more, shards[shard + more] as Buffer, all)));
  isOver = true;
  assert.ok(turns > 1, 'a merge of 160,000 blocks holds up nobody');
  // One that comes while a merge is under way is merged with the next.
  const adding = [16, 17].map((shard) => table.addInTurns(shard, shards[shard] as Buffer, all));
  for (const shard of [18, 19]) table.add(shard, shards[shard] as Buffer, all);
  await Promise.all(adding);
  table.close();
  const again = new BlockTable(dir, { readOnly: true });
  for (const [shard, all] of shards.entries())
    for (let at = 0; at < all.length; at += 32 * 97) assert.equal(again.get(all, at, any), shard);
  assert.ok(readdirSync(dir).length < 8, 'segments are merged');
  again.close();
});

test('tables of two runs on one directory: whatever is added, merged and opened when, each block is found in each of its shards', async () => {
  const step = fc.record({ run: fc.nat(1), blocks: fc.integer({ min: 1, max: 20 }), reopens: fc.boolean(), busy: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 60 }), async (steps) => {
      for (const name of readdirSync(dir)) rmSync(join(dir, name));
      let isMerging = false;
      const tryTask = () => {
        if (isMerging) return undefined;
        isMerging = true;
        return {
          release: () => {
            isMerging = false;
          },
        };
      };
      const opened = () => new BlockTable(dir, { sharing: { tryTask } });
      const tables = [opened(), opened()];
      let listed = 0;
      for (const [shard, { run, blocks, reopens, busy }] of steps.entries()) {
        if (reopens) {
          tables[run]?.close();
          tables[run] = opened();
        }
        isMerging = busy;
        await tables[run]?.addInTurns(shard, digests(0, blocks), all);
        isMerging = false;
        listed += blocks;
      }
      for (const table of tables) table.close();
      const table = new BlockTable(dir, { readOnly: true });
      for (const [shard, { blocks }] of steps.entries())
        for (let n = 0; n < 20; n++)
          assert.equal(
            table.get(digestOf(n), 0, (it) => it === shard),
            n < blocks ? shard : undefined,
          );
      table.close();
      const bytes = readdirSync(dir).reduce((sum, name) => sum + recordsIn(join(dir, name)), 0);
      assert.equal(bytes, listed, 'and none is listed twice');
    }),
    { numRuns: sampled(8, 300) },
  );
});

test('a run that merges does not take a segment for one of the same name that it has seen before', async () => {
  const sharing = { tryTask: () => ({ release: () => {} }) };
  const none = () => new Set<number>();
  const [first, last] = [new BlockTable(dir, { sharing }), new BlockTable(dir, { sharing })];
  for (let shard = 0; shard < 7; shard++) await first.addInTurns(shard, digests(shard, shard + 1), all);
  const seen = new BlockTable(dir, { sharing });
  // All of its blocks belong to shards that are gone: nothing is left, and the names are free.
  await first.addInTurns(7, digests(7, 8), none);
  assert.deepEqual(readdirSync(dir), []);
  await last.addInTurns(20, digests(20, 21), all);
  for (let shard = 30; shard < 37; shard++) await seen.addInTurns(shard, digests(shard, shard + 1), all);
  await seen.addInTurns(37, digests(37, 38), all);
  for (const table of [first, last, seen]) table.close();
  const table = new BlockTable(dir, { readOnly: true });
  for (const shard of [20, 30, 37]) assert.equal(table.get(digestOf(shard), 0, any), shard);
  table.close();
});

/** As the footer of a segment says. */
function recordsIn(path: string): number {
  return readFileSync(path).readUInt32LE(statSync(path).size - 16);
}
