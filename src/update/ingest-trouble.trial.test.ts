/** What goes wrong with a source, an index or a peer, and what a run makes of it. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { appendFileSync, chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Event } from '../core/events.ts';
import type { ShardRecord } from '../core/model.ts';
import { profileOf } from '../dag/cid-profile.ts';
import { RESERVE_BYTES } from '../storing/allocate/allocators.ts';
import { beginEach } from '../testing/each.ts';
import { freshRoot, type Ran, TestHome } from '../testing/run.ts';
import { writeTree } from '../testing/tree.ts';

let dir: string;
let home: TestHome;
beginEach((its, itsHome) => {
  dir = its;
  home = itsHome;
});

const problems = ({ events }: Ran) => events.filter((event) => event.type === 'entry');

test('a file that vanishes before it is read is left out, named, and the rest is committed', async () => {
  writeTree(dir, { gone: 'x', stays: 'y' });
  const ran = await home.add(dir, {}, (event: Event) => {
    if (event.type === 'scan') rmSync(join(dir, 'gone'), { force: true });
  });
  assert.deepEqual(
    problems(ran).map((event) => [event.problem, event.path]),
    [['vanished', 'gone']],
  );
  assert.equal(ran.summary.files, 1);
  rmSync(join(dir, 'gone'), { force: true });
  assert.equal((await home.add(dir)).summary.tree, await freshRoot(dir));
});

test('a file that changes between its scan and its reading is read again, and the root is that of the new content', async () => {
  writeTree(dir, { file: 'before', big: Buffer.alloc(3_000_000, 'b') });
  let changed = false;
  const ran = await home.add(dir, {}, (event: Event) => {
    if (event.type !== 'scan' || changed) return;
    changed = true;
    writeFileSync(join(dir, 'file'), 'afterwards');
    writeFileSync(join(dir, 'big'), Buffer.alloc(2_000_000, 'c'));
  });
  assert.deepEqual(problems(ran), []);
  assert.equal(ran.summary.bytes, 2_000_010);
  assert.equal(ran.summary.tree, await freshRoot(dir));
});

test('an unreadable file or directory is named and the parent’s version stays', async (t) => {
  if (!canBeNobody()) return t.skip('needs root, to become somebody who may not read everything, in a place that everybody may read');
  writeTree(dir, { secret: 'one', open: 'two', closed: { inner: { deep: 'three' }, more: 'four' } });
  chmodSync(dir, 0o755);
  const first = await home.add(dir);
  chmodSync(join(dir, 'secret'), 0);
  chmodSync(join(dir, 'closed'), 0);
  writeFileSync(join(dir, 'open'), 'changed');
  const ran = await asNobody(() => home.add(dir, { metadata: true }));
  assert.deepEqual(
    problems(ran)
      .map((event) => [event.problem, event.path])
      .sort(),
    [
      ['unreadable', 'closed'],
      ['unreadable', 'secret'],
    ],
  );
  assert.equal(ran.summary.files, first.summary.files);
  assert.equal(ran.summary.bytes, first.summary.bytes + 4);
  chmodSync(join(dir, 'secret'), 0o644);
  chmodSync(join(dir, 'closed'), 0o755);
  writeFileSync(join(dir, 'closed', 'more'), 'five');
  assert.equal((await home.add(dir)).summary.tree, await freshRoot(dir));
});

test('what is in a directory that can be listed and not searched stays as the parent has it', async (t) => {
  if (!canBeNobody()) return t.skip('needs root, to become somebody who may not read everything, in a place that everybody may read');
  writeTree(dir, { closed: { inner: { deep: 'three' }, more: 'four', zone: { last: 'five' } }, open: 'two' });
  chmodSync(dir, 0o755);
  const first = await home.add(dir);
  chmodSync(join(dir, 'closed'), 0o744);
  const ran = await asNobody(() => home.add(dir, { maxDelete: { entries: 0 } }));
  assert.deepEqual([ran.summary.files, ran.summary.directories], [first.summary.files, first.summary.directories]);
  chmodSync(join(dir, 'closed'), 0o755);
  writeFileSync(join(dir, 'closed', 'more'), 'changed');
  const again = (await home.add(dir)).summary;
  assert.deepEqual([again.newFiles, again.tree], [1, await freshRoot(dir)]);
});

test('what cannot be looked at one day and not be listed the next is still in the snapshot', async (t) => {
  if (!canBeNobody()) return t.skip('needs root, to become somebody who may not read everything, in a place that everybody may read');
  writeTree(dir, { p: { inner: { one: '1', two: '2' }, file: '3' }, q: '4' });
  chmodSync(dir, 0o755);
  const first = await home.add(dir);
  chmodSync(join(dir, 'p'), 0o744); // listed, but nothing in it can be looked at
  const second = await asNobody(() => home.add(dir));
  assert.equal(second.summary.files, first.summary.files);
  chmodSync(join(dir, 'p'), 0o755);
  chmodSync(join(dir, 'p', 'inner'), 0);
  const third = await asNobody(() => home.add(dir));
  assert.equal(third.summary.files, first.summary.files);
  chmodSync(join(dir, 'p', 'inner'), 0o755);
  assert.equal((await home.add(dir)).summary.tree, first.summary.tree);
});

test('a directory that vanishes after it was listed leaves no trace, even when its parent cannot be listed next time', async (t) => {
  if (!canBeNobody()) return t.skip('needs root, to become somebody who may not read everything, in a place that everybody may read');
  writeTree(dir, { p: { zz: { deep: 'x' }, stays: 'y' }, q: 'z' });
  chmodSync(dir, 0o755);
  const without = writeTree(mkdtempSync(join(tmpdir(), 'shardctl-source-')), { p: { stays: 'y' }, q: 'z' });
  await home.add(dir, { metadata: false }, (event) => {
    if (event.type === 'scan') rmSync(join(dir, 'p', 'zz'), { recursive: true, force: true });
  });
  chmodSync(join(dir, 'p'), 0);
  const { summary } = await asNobody(() => home.add(dir, { metadata: false }));
  const fresh = await TestHome.create();
  assert.equal(summary.tree, (await fresh.add(without, { metadata: false })).summary.tree);
  fresh.remove();
  rmSync(without, { recursive: true });
  chmodSync(join(dir, 'p'), 0o755);
});

test('a source that is replaced or unmounted during the run is not committed', async () => {
  writeTree(dir, { a: 'one', b: 'two' });
  const first = await home.add(dir);
  const away = `${dir}-away`;
  writeFileSync(join(dir, 'c'), 'three');
  const run = home.add(dir, {}, (event) => {
    if (event.type !== 'scan' || existsSync(away)) return;
    renameSync(dir, away);
    writeTree(dir, {});
  });
  await assert.rejects(run, { code: 'SOURCE_MISSING', message: /during the run/ });
  rmSync(away, { recursive: true });
  const index = await home.index();
  assert.equal(index.repository('test')?.head, first.summary.number);
  await index.close();
});

test('lost or damaged entries cost time and nothing else', async () => {
  writeTree(dir, { a: 'one', b: { c: 'two' } });
  const first = await home.add(dir);
  const entries = join(home.dir, 'index', 'entries', 'test');
  for (const damage of [
    () => rmSync(join(entries, '1.cold')),
    () => rmSync(join(entries, '1.hot')),
    () => appendFileSync(join(entries, '1.cold'), 'x'),
    () => flip(join(entries, '1.hot'), 60),
  ]) {
    damage();
    const ran = await home.add(dir);
    assert.equal(ran.summary.tree, first.summary.tree);
    assert.equal(ran.summary.newBlocks, 0);
    assert.equal(ran.events.filter((event) => event.type === 'warning').length > 0, true);
    assert.deepEqual(
      (await home.add(dir)).events.filter((event) => event.type === 'warning'),
      [],
      'mended',
    );
  }
  // CIDs are looked at only where something differs: here in the root, whose record is the last before two offsets and the footer.
  const cold = join(entries, '1.cold');
  flip(cold, readFileSync(cold).length - 16 - 2 * 8 - 10);
  writeFileSync(join(dir, 'a'), 'three');
  const ran = await home.add(dir);
  assert.ok(ran.events.some((event) => event.type === 'warning'));
  const fresh = await TestHome.create();
  assert.equal(ran.summary.tree, (await fresh.add(dir)).summary.tree);
  fresh.remove();
});

function flip(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at] = (bytes[at] as number) ^ 1;
  writeFileSync(path, bytes);
}

test('what was on a peer that is configured no more is stored again', async () => {
  const two = await TestHome.create({ one: {}, two: {} });
  writeTree(dir, { a: 'one' });
  await two.add(dir);
  const index = await two.index();
  const [name] = (index.shard(0) as ShardRecord).peers as [string];
  await index.close();
  two.peers.delete(name);
  const again = await two.add(dir);
  assert.equal(again.summary.unchanged, false);
  assert.ok(again.events.some((event) => event.type === 'warning' && /lost/.test(event.message)));
  // Only what the first snapshot had there is missing: its shard and its copy of the catalogue.
  assert.deepEqual(await two.damage(), [`2 shards on ${name}: peer "${name}" is not configured any more`]);
  assert.deepEqual((await two.add(dir)).summary.unchanged, true);
  two.remove();
});

test('what a peer has lost is stored again, and what a peer that is away has is not', async () => {
  const two = await TestHome.create({ one: {}, two: {} });
  writeTree(dir, { a: 'one' });
  const first = await two.add(dir);
  const index = await two.index();
  const [name] = (index.shard(0) as ShardRecord).peers as [string];
  await index.close();
  const peer = join(two.dir, 'peers', name);
  renameSync(peer, `${peer}-away`);
  await assert.rejects(two.add(dir), { code: 'TOO_FEW_PEERS', message: /cannot be reached/ });
  renameSync(`${peer}-away`, peer);
  assert.equal((await two.add(dir)).summary.unchanged, true);
  for (const folder of readdirSync(join(peer, 'shards'))) rmSync(join(peer, 'shards', folder), { recursive: true });
  const again = await two.add(dir);
  assert.equal(again.summary.tree, first.summary.tree);
  assert.ok(again.summary.newBlocks > 0);
  two.remove();
});

function canBeNobody(): boolean {
  if (process.getuid?.() !== 0) return false;
  process.seteuid?.(65534);
  try {
    readFileSync(fileURLToPath(import.meta.url));
    return true;
  } catch {
    return false;
  } finally {
    process.seteuid?.(0);
  }
}

/** Root may read everything, so the rule shows only as somebody else. */
async function asNobody<T>(work: () => Promise<T>): Promise<T> {
  for (const path of [home.dir, ...(readdirSync(home.dir, { recursive: true }) as string[]).map((name) => join(home.dir, name))]) {
    chmodSync(path, 0o777);
  }
  process.seteuid?.(65534);
  try {
    return await work();
  } finally {
    process.seteuid?.(0);
  }
}

test('what fits nowhere is not read and packed to its end: the run stops while its first shard is still open, and nothing was sent', async () => {
  const full = await TestHome.create({ one: { capacity: RESERVE_BYTES + 200_000 }, two: { capacity: RESERVE_BYTES + 900_000 } });
  writeTree(dir, Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`f${i}`, Buffer.alloc(100_000, `${i} `)])));
  const events: Event[] = [];
  const twice = { replication: { min: 2, max: 2 } };
  await assert.rejects(
    full.add(dir, twice, (event) => void events.push(event)),
    { code: 'NO_SPACE', message: /needs 2 peers with room: one has 19\d\.\d KiB to give/ },
  );
  assert.ok(!events.some(({ type }) => type === 'sealed' || type === 'placed'));
  assert.deepEqual(readdirSync(join(full.dir, 'spool')), []);
  // With shards that do fit, as many are placed as there is room for; the next run goes on from them.
  await assert.rejects(full.add(dir, { ...twice, shardBytes: 110_000 }), { code: 'NO_SPACE' });
  full.remove();
});

test('a file that is larger than any peer lies on several of them, and is whole', async () => {
  const capacity = RESERVE_BYTES + 400_000;
  const small = await TestHome.create({ one: { capacity }, two: { capacity } });
  try {
    writeFileSync(join(dir, 'large'), randomBytes(600_000));
    const { summary } = await small.add(dir, { profile: profileOf('unixfs-v1-2025', 'size-16384'), shardBytes: 64 * 1024 });
    assert.deepEqual(
      summary.peers.map(({ placedBytes }) => placedBytes > 0),
      [true, true],
    );
    assert.deepEqual(await small.damage(), []);
  } finally {
    small.remove();
  }
});
