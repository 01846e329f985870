import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import fc from 'fast-check';
import { FILE, RAW } from '../../core/model.ts';
import { CID_COLUMN_BYTES, Directory, METADATA, NO_CTIME } from '../../walk/directory.ts';
import { PENDING_VERSION, RE_ROOTED_ROWS, READ_ROWS } from './format.ts';
import { PendingReader } from './reader.ts';
import { PendingWriter } from './writer.ts';

const HEADER = { version: PENDING_VERSION, source: '/s\xff', profile: { name: 'p' }, metadata: true, parent: null };
const RACY = 5n;

let dir: string;
let path: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'shardctl-pending-'));
  path = join(dir, 'r', '1.pending');
});
afterEach(() => rmSync(dir, { recursive: true }));

/** What is packed, step by step: so many files of the next directory, and after them perhaps a block met elsewhere or a sealed shard. */
const steps = fc.array(
  fc.record({
    files: fc.nat(12),
    long: fc.boolean(),
    /** The last file of the step goes on in the next. */
    goesOn: fc.boolean(),
    met: fc.option(fc.nat(3)),
    sealed: fc.boolean(),
  }),
  { maxLength: 14 },
);
type Step = typeof steps extends fc.Arbitrary<(infer T)[]> ? T : never;

interface Row {
  readonly file: string;
  readonly text: string;
  readonly reRooted: boolean;
}

/** Shards that were there before the run; those it seals have numbers from 100. */
const OLD = 4;
const cidOf = (shard: number): string => `cid-${shard}`;

function directoryOf(number: number, files: number, long: boolean): Directory {
  const names = Array.from({ length: files }, (_, i) => `${String(i).padStart(long ? 200 : 4, '0')}\xe9`);
  const directory = new Directory(number === 0 ? '' : `d${String(number).padStart(3, '0')}`, undefined, -1, names);
  for (let i = 0; i < files; i++) {
    const stat = { mode: 0o644 + i, size: 2 ** 33 + i, mtimeNs: BigInt(number) - 3n, ctimeNs: BigInt(i), inode: 2n ** 63n + BigInt(i) };
    directory.setStat(i, FILE, stat);
    directory.setRoot(i, RAW, Buffer.alloc(32, number * 16 + i), 0, 2 ** 34 + i);
    if (i % 3 === 2) directory.states[i] = METADATA;
  }
  return directory;
}

/** Writes it, and says for each row on which shards it depends: those where its own bytes may be. */
async function write(all: readonly Step[]): Promise<{ rows: (Row & { needs: Set<number> })[] }> {
  const writer = new PendingWriter(path, HEADER, { isRacy: (ctime) => ctime === RACY, cidOf });
  const rows: (Row & { needs: Set<number> })[] = [];
  let next = 100;
  /** Files of which the end is packed and not yet in a sealed shard, or that met others meanwhile. */
  let waiting: (Row & { needs: Set<number> })[] = [];
  let met = new Set<number>();
  /** Shards that may hold the beginning of a file of which the end is still to come. */
  let begun: Set<number> | undefined;
  for (const [number, step] of all.entries()) {
    const directory = directoryOf(number, step.files, step.long);
    const indexes = directory.names.map((_, i) => i);
    const ends = indexes.map((i) => (i + 1) * 10);
    const length = step.files * 10 + (step.goesOn ? 5 : 0);
    if (step.met !== null && step.met < OLD) {
      writer.meets(step.met);
      met.add(step.met);
    }
    writer.add({ directories: indexes.map(() => directory), indexes, ends }, length);
    for (const i of indexes) {
      const row = {
        file: `${directory.path}/${directory.names[i]}`,
        text: textOf(directory, i),
        reRooted: i % 3 === 2,
        needs: (i === 0 ? begun : undefined) ?? new Set<number>(),
      };
      rows.push(row);
      waiting.push(row);
    }
    if (step.files > 0) begun = undefined;
    if (step.goesOn) begun ??= new Set();
    if (!step.sealed) continue;
    if (begun !== undefined) for (const shard of [...met, next]) begun.add(shard);
    for (const row of waiting) for (const shard of [...met, next]) row.needs.add(shard);
    waiting = [];
    met = new Set();
    writer.sealed(next, cidOf(next));
    void writer.placed(next++);
  }
  writer.cover();
  for (const row of waiting) for (const shard of met) row.needs.add(shard);
  await writer.close();
  return { rows };
}

function textOf({ sizes, modes, mtimes, ctimes, inodes, cids, dagSizes }: Directory, i: number): string {
  const cid = cids?.toString('hex', i * CID_COLUMN_BYTES, (i + 1) * CID_COLUMN_BYTES);
  return [sizes[i], modes[i], mtimes[i], ctimes[i] === RACY ? NO_CTIME : ctimes[i], inodes[i], cid, dagSizes?.[i]].join(' ');
}

/** What a later run believes when these shards are there. */
function read(isThere: (shard: number) => boolean): { header: unknown; shards: readonly number[]; rows: Row[] } {
  const reader = new PendingReader(path, ([number, cid]) => cid === cidOf(number) && isThere(number));
  const rows: Row[] = [];
  for (const kind of [READ_ROWS, RE_ROOTED_ROWS] as const) {
    for (const record of reader.records(kind)) {
      for (const [i, name] of record.names.entries()) {
        const { sizes, modes, mtimes, ctimes, inodes, cids, dagSizes } = record;
        const cid = cids.toString('hex', i * CID_COLUMN_BYTES, (i + 1) * CID_COLUMN_BYTES);
        const text = [sizes[i], modes[i], mtimes[i], ctimes[i], inodes[i], cid, dagSizes[i]].join(' ');
        rows.push({ file: `${record.path}/${name}`, text, reRooted: kind === RE_ROOTED_ROWS });
      }
    }
  }
  reader.close();
  return { header: reader.header, shards: reader.shards, rows };
}

const plain = ({ file, text, reRooted }: Row) => `${reRooted} ${file} ${text}`;

test('every file comes back as it was noted, each kind in walk order, when all shards are there; none when none is', async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (all) => {
      rmSync(path, { force: true });
      const { rows } = await write(all);
      if (rows.length === 0) return;
      const back = read(() => true);
      assert.deepEqual(back.header, HEADER);
      const inOrder = [...rows.filter(({ reRooted }) => !reRooted), ...rows.filter(({ reRooted }) => reRooted)];
      assert.deepEqual(back.rows.map(plain), inOrder.map(plain));
      const needless = rows.filter(({ needs }) => needs.size === 0).map(plain);
      assert.deepEqual(
        read(() => false)
          .rows.map(plain)
          .filter((row) => !needless.includes(row)),
        [],
      );
    }),
    { numRuns: 60 },
  );
});

test('a file is believed only when each shard that may hold a part of it is there', async () => {
  await fc.assert(
    fc.asyncProperty(steps, fc.nat(14), async (all, gone) => {
      rmSync(path, { force: true });
      const { rows } = await write(all);
      if (rows.length === 0) return;
      const lost = gone < OLD ? gone : 96 + gone;
      const believed = new Set(read((shard) => shard !== lost).rows.map(plain));
      for (const row of rows) if (row.needs.has(lost)) assert.ok(!believed.has(plain(row)), row.file);
    }),
    { numRuns: 60 },
  );
});

test('with a bit flipped or the tail cut anywhere, what is believed is some of what was noted, and nothing else', async () => {
  const step = { files: 4, long: false, goesOn: false, met: null, sealed: true };
  const { rows } = await write([step, { ...step, met: 1 }, { ...step, files: 2 }]);
  const noted = new Set(rows.map(plain));
  const good = readFileSync(path);
  const believed = () => {
    const back = read(() => true);
    // Of another source, or none that can be read: nobody takes anything from it.
    if (back.header === undefined || back.shards.length === 0) return 0;
    for (const row of back.rows) assert.ok(noted.has(plain(row)), plain(row));
    return back.rows.length;
  };
  assert.equal(believed(), rows.length);
  for (let at = 0; at < good.length; at++) {
    const bytes = Buffer.from(good);
    bytes[at] = (bytes[at] as number) ^ (1 << (at % 8));
    writeFileSync(path, bytes);
    assert.ok(believed() < rows.length, `byte ${at}`);
    if (at % 7 !== 0) continue;
    writeFileSync(path, good.subarray(0, at));
    believed();
  }
});
