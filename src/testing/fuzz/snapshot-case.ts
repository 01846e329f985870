/**
 * One random snapshot on a peer, with a tree and a `snapshot.json` that may lie, given to `recover`. Whatever it says: the run ends
 * with what came back or with words, and nothing outside the new home changes.
 */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { CID } from 'multiformats/cid';
import { ShardctlError } from '../../core/errors.ts';
import { DAG_PB } from '../../core/model.ts';
import { recover } from '../../maintain/recover/recover.ts';
import { checkRepositoryName } from '../../snapshot/repository-name.ts';
import { buildSnapshot, type SnapshotFile } from '../../snapshot/snapshot.ts';
import { ForeignCar } from '../foreign-car.ts';
import { recoverRun } from '../recover-run.ts';
import { withIndex } from '../retention.ts';
import { TestHome } from '../run.ts';
import { makeShard } from '../shards.ts';
import { cook } from './cook.ts';
import { type Recipe, recipe } from './recipe.ts';

export interface SnapshotRecipe {
  readonly tree: Recipe;
  /** What `snapshot.json` says, in this text or as JSON. */
  readonly file: Readonly<Record<string, unknown>> | string;
  /** What `shards/` leads to: the shard of the tree, nothing, itself, or no shard. */
  readonly shards: 'true' | 'none' | 'tree' | 'leaf' | 'unknown';
}

const GOOD = {
  format: 1,
  repository: 'r',
  time: '2026-01-01T00:00:00.000Z',
  parent: null,
  profile: 'unixfs-v1-2025',
  metadata: false,
  counts: { files: 0, directories: 1, symlinks: 0 },
  bytes: 0,
  tool: 'shardctl 1',
};
const lie = fc.constantFrom<unknown>(
  '../../escaped',
  '..',
  '',
  '/',
  'x'.repeat(5000),
  'nul\0',
  '\u001b[31mred',
  '-rf',
  'r@1',
  'not a date',
  0,
  -1,
  2,
  1e308,
  2 ** 53,
  null,
  true,
  [],
  {},
  { files: -1 },
  'bafyaabakaieac',
);
const file = fc.oneof(
  { weight: 2, arbitrary: fc.constant(GOOD) },
  {
    weight: 8,
    arbitrary: fc.tuple(fc.constantFrom(...Object.keys(GOOD)), lie).map(([key, value]) => ({ ...GOOD, [key]: value })),
  },
  { weight: 1, arbitrary: fc.constantFrom('', '{', '[]', '[['.repeat(100_000), '{"__proto__":{"format":1}}', `${JSON.stringify(GOOD)}x`) },
);

export const snapshotRecipe: fc.Arbitrary<SnapshotRecipe> = fc.record({
  tree: recipe,
  file,
  shards: fc.constantFrom('true', 'true', 'none', 'tree', 'leaf', 'unknown'),
}) as fc.Arbitrary<SnapshotRecipe>;

/** @returns how many repositories came back @param dir in which nothing else may be */
export async function runSnapshotCase({ tree, file, shards }: SnapshotRecipe, dir: string): Promise<number> {
  const home = await TestHome.create();
  try {
    await putSnapshot(home, { tree, file, shards });
    const before = readdirSync(dir, { recursive: true });
    const recovered = await withIndex(home, async (index) => {
      mkdirSync(join(home.dir, 'heads'), { recursive: true });
      const back = await recover(recoverRun(home, index)).catch((error: unknown) => {
        if (!(error instanceof ShardctlError)) throw error;
        return [];
      });
      for (const { name } of index.repositories()) assert.equal(checkRepositoryName(name), name);
      return back;
    });
    assert.deepEqual(readdirSync(dir, { recursive: true }), before);
    assert.equal(readdirSync(join(home.dir, 'heads')).length, recovered.length);
    assert.deepEqual(readdirSync(home.dir).sort(), ['heads', 'index', 'peers']);
    return recovered.length;
  } finally {
    home.remove();
  }
}

async function putSnapshot(home: TestHome, { tree, file, shards }: SnapshotRecipe): Promise<void> {
  const peer = home.peers.get('local');
  assert.ok(peer);
  const scratch = join(home.dir, 'peers', 'scratch');
  mkdirSync(scratch);
  const put = async (blocks: readonly Buffer[]) => {
    const shard = makeShard(scratch, blocks);
    await peer.put(shard, { mayConsume: true, signal: new AbortController().signal });
    return shard;
  };
  const { root, blocks } = cook({ ...tree, mutations: [] });
  const held = await put(distinct(blocks.map(({ bytes }) => bytes)));
  const treeBlock = blocks.find(({ cid }) => cid.equals(root))?.bytes as Buffer;
  const catalogue = new ForeignCar();
  const targets: Readonly<Record<SnapshotRecipe['shards'], () => string[]>> = {
    true: () => [held.cid],
    none: () => [],
    tree: () => [root.toString()],
    leaf: () => [catalogue.raw('no shard').toString()],
    unknown: () => [catalogue.directory({ a: catalogue.raw('never put') }).toString()],
  };
  const cids = targets[shards]();
  if (typeof file !== 'string') {
    const links = cids.map((cid, number) => ({ number, cid, dagSize: 1 }));
    const tree = { codec: DAG_PB, digest: root.multihash.digest, dagSize: 1 } as const;
    await put(distinct(buildSnapshot(file as unknown as SnapshotFile, links, tree, treeBlock).blocks));
  } else {
    const list = catalogue.directory(cids.map((cid, number) => ({ name: number.toString().padStart(8, '0'), cid: CID.parse(cid) })));
    const json = catalogue.raw(file);
    catalogue.directory({ shards: list, 'snapshot.json': json, tree: root });
    await put(distinct([...catalogue.blocks.map(({ bytes }) => bytes).reverse(), treeBlock]));
  }
  rmSync(scratch, { recursive: true, force: true });
}

/** No shard lists a block twice. */
function distinct(blocks: readonly Buffer[]): Buffer[] {
  return [...new Map(blocks.map((bytes) => [bytes.toString('latin1'), bytes])).values()];
}
