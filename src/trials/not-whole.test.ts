/** Trees that are not whole in the shards that their snapshots name: `verify` finds them, and `update` reads again what is missing. */
import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { ShardctlError } from '../core/errors.ts';
import type { Event } from '../core/events.ts';
import { DAG_PB } from '../core/model.ts';
import { cidText, sha256 } from '../dag/cid.ts';
import { noteDoubt } from '../index/files/doubts.ts';
import { Index } from '../index/index.ts';
import { repair } from '../maintain/repair/repair.ts';
import { verifyTrees } from '../maintain/verify-trees.ts';
import { lose, unname } from '../testing/breaking.ts';
import { beginEach, tick } from '../testing/each.ts';
import { assertWhole, pruneHome, pruneRun, SHARD_BYTES, snapshotsOf, withIndex } from '../testing/retention.ts';
import type { TestHome } from '../testing/run.ts';
import { writeTree } from '../testing/tree.ts';

let dir: string;
let home: TestHome;
beginEach((source, fresh) => {
  [dir, home] = [source, fresh];
});

const OPTIONS = { shardBytes: SHARD_BYTES };
const doubtPath = () => join(home.dir, 'index', 'doubts', 'test');

/** Four files in shards of their own, and a directory node in the last one. @returns the shards */
async function addFour(): Promise<readonly number[]> {
  writeTree(dir, { d: Object.fromEntries([0, 1, 2, 3].map((i) => [`f${i}`, Buffer.alloc(30_000, `${i} `)])) });
  // What was written a moment ago is read again whatever its stat data say.
  await tick();
  await home.add(dir, OPTIONS);
  return await headShards();
}

/** Those that the newest snapshot names. */
const headShards = () => withIndex(home, async (index) => snapshotsOf(index).at(-1)?.shards ?? []);

/** The findings. */
async function verified(): Promise<string[]> {
  const found: string[] = [];
  const emit = (event: Event) => {
    if (event.type === 'damage') found.push(`${event.what}: ${event.detail}`);
  };
  const index = await Index.open(join(home.dir, 'index'), { readOnly: true });
  try {
    const options = { index, peers: home.peers, snapshots: snapshotsOf(index), emit, signal: new AbortController().signal };
    assert.equal(await verifyTrees(options), found.length);
  } finally {
    await index.close();
  }
  return found;
}

const warnings = (events: readonly Event[]) => events.flatMap((event) => (event.type === 'warning' ? [event.message] : []));

test('verify finds no fault with whole trees, and leaves no note', async () => {
  await addFour();
  assert.deepEqual(await verified(), []);
  assert.ok(!existsSync(doubtPath()));
});

test('an update of a tree whose blocks are gone reads every file again, and commits what it stored as a new snapshot', async () => {
  const shards = await addFour();
  for (const i of shards.keys()) {
    await lose(home, (await headShards())[i] ?? 0);
    const before = await home.add(dir, OPTIONS);
    assert.ok(before.summary.unchanged, 'stat data say nothing of blocks');
    const found = await verified();
    const head = before.summary.number;
    assert.match(found.find((it) => it.startsWith(`tree of test@${head}:`)) ?? '', /lacks .*baf[yk].*`shardctl update test`/);
    const { summary, events } = await home.add(dir, OPTIONS);
    assert.match(warnings(events).join(), /lacks .*every file is read again/);
    assert.deepEqual([summary.unchanged, summary.number, summary.tree], [false, head + 1, before.summary.tree]);
    assert.ok(summary.newBlocks > 0);
    assert.ok(!existsSync(doubtPath()));
    await withIndex(home, (index) => index.forget('test', [head]));
    assert.deepEqual(await verified(), []);
    await pruneHome(home);
    await assertWhole(home);
    const again = await home.add(dir, OPTIONS);
    assert.deepEqual([again.summary.unchanged, warnings(again.events)], [true, []]);
  }
});

test('blocks that other shards of the home have are met and not stored again', async () => {
  const [first = 0] = await addFour();
  await unname(home, first);
  assert.match((await verified()).join(), /tree of test@1: lacks .*other shards have that: `shardctl repair`/);
  const { summary } = await home.add(dir, OPTIONS);
  assert.deepEqual([summary.unchanged, summary.newBlocks], [false, 0]);
  await withIndex(home, (index) => index.forget('test', [1]));
  await pruneHome(home);
  await assertWhole(home);
});

test('a doubt about a whole head costs one look: the note goes, and the run goes on as ever', async () => {
  await addFour();
  noteDoubt(doubtPath());
  const { summary, events } = await home.add(dir, OPTIONS);
  assert.deepEqual([summary.unchanged, summary.newFiles, warnings(events)], [true, 0, []]);
  assert.ok(!existsSync(doubtPath()));
});

test('a dry run says what the run will read, and leaves the note', async () => {
  const [first = 0] = await addFour();
  await lose(home, first);
  noteDoubt(doubtPath());
  await home.add(dir, { ...OPTIONS, signal: AbortSignal.abort() }).catch(() => {});
  assert.ok(existsSync(doubtPath()), 'a run that stops leaves it too');
  assert.equal((await home.plan(dir, OPTIONS)).readFiles, 4);
  assert.ok(existsSync(doubtPath()));
});

test('what is found while a run looks is not forgotten with what was found before', async () => {
  const [first = 0] = await addFour();
  await lose(home, first);
  noteDoubt(doubtPath());
  let found = false;
  await home.add(dir, OPTIONS, (event) => {
    if (found || event.type !== 'sealed') return;
    found = true;
    noteDoubt(doubtPath());
  });
  assert.ok(found && existsSync(doubtPath()));
  const { summary } = await home.add(dir, OPTIONS);
  assert.ok(summary.unchanged);
  assert.ok(!existsSync(doubtPath()));
});

test('an older snapshot whose blocks nobody has is named, and with it the command that lets it go', async () => {
  const shards = await addFour();
  rmSync(join(dir, 'd', 'f0'));
  await home.add(dir, OPTIONS);
  await lose(home, shards[0] ?? 0);
  await verified();
  await home.add(dir, OPTIONS);
  const found = await verified();
  assert.match(found.join('\n'), /tree of test@1: lacks .*nobody has that any more: `shardctl forget test 1`/);
  await withIndex(home, (index) => index.forget('test', [1, 2]));
  assert.deepEqual(await verified(), []);
});

test('an index of format 1 puts each of its heads in doubt, once', async () => {
  const old = mkdtempSync(join(tmpdir(), 'shardctl-format-1-'));
  try {
    cpSync(join(import.meta.dirname, '..', '..', '..', 'fixtures', 'home-format-1', 'index'), join(old, 'index'), { recursive: true });
    const names: string[] = [];
    const index = await Index.open(join(old, 'index'));
    for (const { name } of index.repositories()) names.push(name);
    assert.ok(names.length > 0);
    for (const name of names) {
      assert.ok(existsSync(index.doubtOf(name)), name);
      rmSync(index.doubtOf(name));
    }
    await index.close();
    await (await Index.open(join(old, 'index'))).close();
    for (const name of names) assert.ok(!existsSync(index.doubtOf(name)), name);
  } finally {
    rmSync(old, { recursive: true, force: true });
  }
});

/** @returns how many snapshots got a new list, and what is lost */
const repaired = () =>
  withIndex(home, async (index) => {
    const { rewritten, lost } = await repair({ ...pruneRun(home, index), readData: false, dryRun: false });
    return { rewritten, lost: lost.map(({ what, snapshots }) => `${what} of ${snapshots.join()}`) };
  });

test('repair gives a snapshot the shards that have what it lacks, once they are there again', async () => {
  const [first = 0, second = 0] = await addFour();
  await unname(home, first);
  assert.deepEqual(await repaired(), { rewritten: 1, lost: [] });
  await assertWhole(home);
  await lose(home, second);
  const { rewritten, lost } = await repaired();
  assert.equal(rewritten, 0);
  assert.match(lost.join(), /^(block|\d+ blocks) .*baf[yk].* of test@1$/);
  const { summary } = await home.add(dir, OPTIONS);
  assert.deepEqual([summary.unchanged, summary.number], [false, 2], 'repair has left a note');
  assert.deepEqual(await repaired(), { rewritten: 1, lost: [] });
  assert.deepEqual(await verified(), []);
  await assertWhole(home);
  assert.deepEqual(await repaired(), { rewritten: 0, lost: [] });
});

test('a tree that never was one is named by verify with what helps, and prune says where to look', async () => {
  const stranger = Buffer.from('no node');
  writeTree(dir, { file: stranger });
  await tick();
  await home.add(dir, OPTIONS);
  const tree = cidText({ codec: DAG_PB, digest: sha256(stranger) }, 1);
  await withIndex(home, async (index) => {
    await index.replaceSnapshots(
      snapshotsOf(index).map((snapshot) => ({ ...snapshot, tree })),
      [],
    );
  });
  await assert.rejects(pruneHome(home), (error: ShardctlError) => {
    assert.equal(error.code, 'DAMAGE');
    assert.match(error.message, new RegExp(`nothing is freed: ${tree} is not a UnixFS node`));
    assert.match(error.hint ?? '', /shardctl verify/);
    return true;
  });
  assert.match((await verified()).join(), /^tree of test@1: not a UnixFS node: .*: `shardctl rm test`$/);
});
