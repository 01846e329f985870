/** Dies at the Nth write of a prune, of a repair and of an import: nothing that is retained is lost, and nothing is left over. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { readHead } from '../../home/heads.ts';
import { sampled } from '../../testing/depth.ts';
import { killedAtEachWrite } from '../../testing/killed.ts';
import { assertNoOrphans, assertWhole, pruneHome, pruneRun, SHARD_BYTES, withIndex } from '../../testing/retention.ts';
import { TestHome } from '../../testing/run.ts';
import { writeTree } from '../../testing/tree.ts';
import { repair } from '../repair/repair.ts';

const PEERS = ['one', 'two'];
const TWICE = { min: 2, max: 2 };

let dir: string;
let source: string;
/** A home with two snapshots of which one is forgotten: prune drops shards, and repacks others. */
let template: TestHome;

before(async () => {
  dir = mkdtempSync(join(tmpdir(), 'shardctl-prune-crash-'));
  source = writeTree(join(dir, 'source'), Object.fromEntries(Array.from({ length: 4 }, (_, i) => [`f${i}`, Buffer.alloc(20_000, `${i}`)])));
  template = await TestHome.create({ one: {}, two: {} });
  await template.add(source, { replication: TWICE, shardBytes: SHARD_BYTES });
  for (const i of [0, 1, 2]) rmSync(join(source, `f${i}`));
  await template.add(source, { replication: TWICE, shardBytes: SHARD_BYTES });
  await withIndex(template, (index) => index.forget('test', [1]));
});
after(() => {
  template.remove();
  rmSync(dir, { recursive: true, force: true });
});

async function assertPruned(home: TestHome): Promise<void> {
  await assertWhole(home);
  await assertNoOrphans(home);
  await withIndex(home, async (index) => assert.equal(readHead(join(home.dir, 'heads'), 'test'), index.snapshots('test').at(-1)?.cid));
  assert.deepEqual(readdirSync(join(home.dir, 'spool')), []);
}

test('killed at any write of a prune, what is retained stays whole, and a rerun completes it', async () => {
  const killing = { dir, template, peers: PEERS, action: 'prune', step: sampled(151, 3), writes: 20 };
  await killedAtEachWrite(killing, async (home, n) => {
    assert.deepEqual(await home.damage(), [], `write ${n}`);
    const again = await pruneHome(home, { replication: TWICE });
    assert.deepEqual([again.unusedBytes, again.left], [0, 0], `write ${n}`);
    await assertPruned(home);
  });
});

test('killed at any write of a repair, no replica is worse than before, and a rerun completes it', async () => {
  const damage = (home: string) => {
    const [largest] = cars(home, 'one');
    const bytes = readFileSync(largest as string);
    bytes[5000] = (bytes[5000] as number) ^ 1;
    writeFileSync(largest as string, bytes);
    rmSync(cars(home, 'two').at(-1) as string);
  };
  const killing = { dir, template, peers: PEERS, action: 'repair', prepare: damage, step: sampled(31, 2), writes: 8 };
  await killedAtEachWrite(killing, async (home, n) => {
    assert.ok((await home.damage()).length <= 2, `write ${n}`);
    const { lost } = await withIndex(home, (index) =>
      repair({ ...pruneRun(home, index, { replication: TWICE }), readData: true, dryRun: false }),
    );
    assert.deepEqual(lost, [], `write ${n}`);
    await assertWhole(home);
  });
});

test('what a killed import left on the peers goes with the next prune, also when it is never taken up again', async () => {
  writeFileSync(join(source, 'new'), Buffer.alloc(60_000, 'new'));
  const killing = { dir, template, peers: PEERS, action: 'add', source, step: sampled(151, 4), writes: 20 };
  await killedAtEachWrite(killing, async (home) => {
    await pruneHome(home, { replication: TWICE });
    await assertPruned(home);
  });
});

/** The CAR files of a peer, the largest first. */
function cars(home: string, peer: string): string[] {
  const shards = join(home, 'peers', peer, 'shards');
  const paths = (readdirSync(shards, { recursive: true }) as string[])
    .filter((name) => name.endsWith('.car'))
    .map((name) => join(shards, name));
  return paths.sort((a, b) => readFileSync(b).length - readFileSync(a).length);
}
