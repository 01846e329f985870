/** Files cut short, or with a bit flipped, as a power cut or a broken disk leaves them: found, named, and mended by the documented command. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { readHead } from '../home/heads.ts';
import { Index } from '../index/index.ts';
import { repair } from '../maintain/repair/repair.ts';
import { assertWhole, pruneRun, SHARD_BYTES, withIndex } from '../testing/retention.ts';
import { TestHome } from '../testing/run.ts';
import { writeTree } from '../testing/tree.ts';

const TWICE = { min: 2, max: 2 };

let source: string;
let home: TestHome;
beforeEach(async () => {
  source = writeTree(mkdtempSync(join(tmpdir(), 'shardctl-torn-')), {
    ...Object.fromEntries(Array.from({ length: 4 }, (_, i) => [`f${i}`, Buffer.alloc(20_000, `${i}`)])),
  });
  home = await TestHome.create({ one: {}, two: {} });
  await home.add(source, { replication: TWICE, shardBytes: SHARD_BYTES });
});
afterEach(() => {
  home.remove();
  rmSync(source, { recursive: true, force: true });
});

const filesIn = (dir: string, ending: string) =>
  (readdirSync(dir, { recursive: true }) as string[]).filter((name) => name.endsWith(ending)).map((name) => join(dir, name));

function mend(index: Index) {
  return repair({ ...pruneRun(home, index, { replication: TWICE }), readData: true, dryRun: false });
}

/** As the command does it. */
async function repairHome() {
  const index = await Index.open(join(home.dir, 'index'), { checkBlocks: true });
  return await mend(index).finally(() => index.close());
}

function flip(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at] = (bytes[at] as number) ^ (1 << (at % 8));
  writeFileSync(path, bytes);
}

test('a CAR that is cut anywhere, down to nothing, is found and mended from the other peer', async () => {
  for (const car of filesIn(join(home.dir, 'peers', 'one'), '.car')) {
    const { size } = statSync(car);
    for (const length of [0, 1, 58, 100, Math.floor(size / 2), size - 100, size - 1]) {
      truncateSync(car, length);
      assert.equal((await home.damage()).length, 1, `${car} cut to ${length}`);
      assert.deepEqual((await withIndex(home, mend)).lost, []);
      assert.equal(statSync(car).size, size);
    }
  }
  await assertWhole(home);
});

test('a run of the block table that is cut anywhere is refused by name, and repair lists its blocks again', async () => {
  for (const at of [0, 1, 20, 0.5, -1]) {
    const [run = ''] = filesIn(join(home.dir, 'index', 'blocks'), '.run');
    const { size } = statSync(run);
    truncateSync(run, at < 0 ? size + at : at < 1 ? Math.floor(size * at) : at);
    const lookUp = withIndex(home, async (index) => index.shardOf(Buffer.alloc(32)));
    await assert.rejects(lookUp, { code: 'DAMAGE', hint: /shardctl repair/ });
    const { runs, relisted, lost } = await repairHome();
    assert.deepEqual([runs, relisted > 0, lost], [1, at >= 0, []], `cut at ${at}`);
    await assertWhole(home);
  }
});

test('a run of the block table that is gone is listed again by repair', async () => {
  const runs = join(home.dir, 'index', 'blocks');
  for (const gone of [filesIn(runs, '.run')[0] as string, runs]) {
    rmSync(gone, { recursive: true });
    assert.ok((await repairHome()).relisted > 0, gone);
    assert.equal((await repairHome()).relisted, 0);
    await assertWhole(home);
    assert.equal((await home.add(source, { replication: TWICE })).summary.newBlocks, 0);
  }
});

test('a flipped bit anywhere in the entries costs no more than time', async () => {
  const { summary: first } = await home.add(source, { replication: TWICE, shardBytes: SHARD_BYTES });
  for (const name of ['1.hot', '1.cold']) {
    const path = join(home.dir, 'index', 'entries', 'test', name);
    const before = readFileSync(path);
    for (let at = 0; at < before.length; at += 29) {
      flip(path, at);
      const { summary } = await home.add(source, { replication: TWICE, shardBytes: SHARD_BYTES });
      assert.deepEqual([summary.tree, summary.newBlocks], [first.tree, 0], `${name} at ${at}`);
    }
  }
});

test('entries that are cut anywhere are made anew by the next run', async () => {
  const entries = join(home.dir, 'index', 'entries', 'test');
  for (const name of ['1.hot', '1.cold']) {
    const { size } = statSync(join(entries, name));
    for (const length of [0, 10, 40, Math.floor(size / 2), size - 1]) {
      truncateSync(join(entries, name), length);
      const { summary } = await home.add(source, { replication: TWICE, shardBytes: SHARD_BYTES });
      assert.deepEqual([summary.unchanged, summary.newBlocks], [true, 0], `${name} cut to ${length}`);
      assert.equal(statSync(join(entries, name)).size, size);
    }
  }
});

test('a head that is empty or nonsense is written anew by the next run', async () => {
  const heads = join(home.dir, 'heads');
  const head = readHead(heads, 'test');
  for (const text of ['', 'bafy', '\0\0\0']) {
    writeFileSync(join(heads, 'test'), text);
    assert.equal((await home.add(source, { replication: TWICE })).summary.unchanged, true);
    assert.equal(readHead(heads, 'test'), head);
  }
});
