/**
 * The SQLite way: fail the Nth file operation of an update, a forget, a prune and a repair, with a full disk, a broken one, and
 * no file descriptors left. After each, nothing that was committed is worse, and a rerun comes to where an undisturbed run comes.
 *
 * Every operation of a kind takes minutes: of the long ones a dozen is taken, one in a sample, spread evenly. `SHARDCTL_TEST_CAMPAIGN=full` takes all.
 */
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { errnoOf, ShardctlError } from '../core/errors.ts';
import { readHead } from '../home/heads.ts';
import { repair } from '../maintain/repair/repair.ts';
import { sampled } from '../testing/depth.ts';
import { arm, disarm, type FaultKind, install } from '../testing/faults.ts';
import { assertNoOrphans, assertWhole, pruneHome, pruneRun, SHARD_BYTES, withIndex } from '../testing/retention.ts';
import { TestHome } from '../testing/run.ts';
import { writeTree } from '../testing/tree.ts';

const PEERS = ['one', 'two'];
const TWICE = { min: 2, max: 2 };
const OPTIONS = { replication: TWICE, shardBytes: SHARD_BYTES };
const POINTS = process.env.SHARDCTL_TEST_CAMPAIGN === 'full' ? Number.POSITIVE_INFINITY : sampled(1, 12);
const KINDS: readonly FaultKind[] = ['ENOSPC', 'EIO', 'EMFILE'];

let dir: string;
let source: string;
/** A home with three snapshots, of which the first is forgotten and the source has changed since the last. */
let template: TestHome;
/** The tree of the source as it is. */
let expected: string;

before(async () => {
  dir = mkdtempSync(join(tmpdir(), 'shardctl-campaign-'));
  source = writeTree(join(dir, 'source'), Object.fromEntries(Array.from({ length: 5 }, (_, i) => [`f${i}`, Buffer.alloc(20_000, `${i}`)])));
  template = await TestHome.create({ one: {}, two: {} });
  await template.add(source, OPTIONS);
  for (const i of [0, 1, 2]) rmSync(join(source, `f${i}`));
  writeTree(source, { d: { g: Buffer.alloc(30_000, 'g'), link: { link: 'g' } } });
  await template.add(source, OPTIONS);
  writeFileSync(join(source, 'f3'), 'other');
  await template.add(source, OPTIONS);
  await withIndex(template, (index) => index.forget('test', [1]));
  writeTree(source, { new: Buffer.alloc(60_000, 'new'), e: { h: Buffer.alloc(25_000, 'h') } });
  rmSync(join(source, 'f4'));
  await sleep(50);
  const fresh = await TestHome.create({ one: {}, two: {} });
  expected = (await fresh.add(source, OPTIONS)).summary.tree;
  fresh.remove();
  await install();
});
after(() => {
  template.remove();
  rmSync(dir, { recursive: true, force: true });
});

interface Action {
  /** Makes a copy of the template what the action is about. */
  readonly prepare?: (home: string) => void;
  readonly run: (home: TestHome) => Promise<void>;
  /** What must hold when the action has run undisturbed. */
  readonly assertDone: (home: TestHome) => Promise<void>;
}

const ACTIONS: Readonly<Record<string, Action>> = {
  update: {
    run: async (home) => void (await home.add(source, OPTIONS)),
    assertDone: (home) => withIndex(home, async (index) => assert.equal(index.snapshots('test').at(-1)?.tree, expected)),
  },
  forget: {
    run: (home) => withIndex(home, async (index) => void (await index.forget('test', [2]))),
    assertDone: (home) =>
      withIndex(home, async (index) =>
        assert.deepEqual(
          index.snapshots('test').map(({ number }) => number),
          [3],
        ),
      ),
  },
  prune: {
    run: async (home) => void (await pruneHome(home, { replication: TWICE })),
    assertDone: assertNoOrphans,
  },
  repair: {
    prepare: damage,
    run: async (home) => {
      const repairing = (index: Parameters<typeof pruneRun>[1]) =>
        repair({ ...pruneRun(home, index, { replication: TWICE }), readData: true, dryRun: false });
      const { lost, tooFew } = await withIndex(home, repairing);
      // With a peer that could not be written to, it says so.
      if (tooFew > 0) throw new ShardctlError('TOO_FEW_PEERS', 'too few replicas');
      assert.deepEqual(lost, []);
    },
    assertDone: async (home) => assert.deepEqual(await home.damage(), []),
  },
};

for (const [name, action] of Object.entries(ACTIONS)) {
  for (const kind of KINDS) {
    test(`${kind} in ${name}: what was committed is whole, a rerun completes it, and a prune leaves no orphan`, async () => {
      const operations = await countOperations(action, kind);
      const stride = Math.max(1, Math.floor(operations / POINTS));
      let fired = 0;
      for (let nth = 1; nth <= operations; nth += stride) if (await faultAt(action, kind, nth)) fired++;
      assert.ok(fired > 0 || operations === 0, `none of ${operations} operations failed`);
    });
  }
}

function copyOfTemplate({ prepare }: Action): TestHome {
  const path = mkdtempSync(join(dir, 'home-'));
  cpSync(template.dir, path, { recursive: true });
  prepare?.(path);
  return TestHome.at(path, PEERS);
}

async function countOperations(action: Action, kind: FaultKind): Promise<number> {
  const home = copyOfTemplate(action);
  arm(kind);
  await action.run(home);
  const { operations } = disarm();
  home.remove();
  return operations;
}

/** Whether the fault came to pass: which operations there are depends on what is written at the same time. */
async function faultAt(action: Action, kind: FaultKind, nth: number): Promise<boolean> {
  const what = `${kind} at operation ${nth}`;
  const faulty = copyOfTemplate(action);
  const before = (await faulty.damage()).length;
  const head = readHead(join(faulty.dir, 'heads'), 'test');
  arm(kind, nth);
  const failure = await action.run(faulty).then(
    () => undefined,
    (error: unknown) => error,
  );
  const { fired } = disarm();
  // What a peer remembers of a failure ends with the process.
  const home = TestHome.at(faulty.dir, PEERS);
  // What the program makes of a failed system call, or one that it shows as such.
  if (failure !== undefined && !(failure instanceof ShardctlError) && errnoOf(failure) === undefined) throw failure;

  assert.ok((await home.damage()).length <= before, what);
  await withIndex(home, async (index) => {
    const cids = index.snapshots('test').map(({ cid }) => cid);
    const now = readHead(join(home.dir, 'heads'), 'test');
    assert.ok(now === head || cids.includes(now ?? ''), `${what}: the head names a snapshot that is there`);
  });
  if (before === 0) await assertWhole(home);

  await action.run(home);
  await action.assertDone(home);
  await pruneHome(home, { replication: TWICE });
  await assertWhole(home);
  await assertNoOrphans(home);
  assert.deepEqual(readdirSync(join(home.dir, 'spool')), [], what);
  home.remove();
  return fired;
}

/** A flipped bit on one peer, a missing shard on the other. */
function damage(home: string): void {
  const cars = (peer: string) => {
    const shards = join(home, 'peers', peer, 'shards');
    return (readdirSync(shards, { recursive: true }) as string[]).filter((file) => file.endsWith('.car')).map((file) => join(shards, file));
  };
  const [largest = ''] = cars('one').sort((a, b) => readFileSync(b).length - readFileSync(a).length);
  const bytes = readFileSync(largest);
  bytes[5000] = (bytes[5000] as number) ^ 1;
  writeFileSync(largest, bytes);
  rmSync(cars('two').find((path) => !path.endsWith(largest.slice(-20))) as string);
}
