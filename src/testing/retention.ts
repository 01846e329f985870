/** For tests of what is kept and what goes: prune on a test home, and whether everything that is retained is whole. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RepositoryRecord, SnapshotRecord } from '../core/model.ts';
import { toBytes } from '../core/path-bytes.ts';
import { cidText, parseCid } from '../dag/cid.ts';
import { profileOf } from '../dag/cid-profile.ts';
import type { Index } from '../index/index.ts';
import type { Maintenance } from '../maintain/maintenance.ts';
import { type Pruned, type PruneOptions, prune } from '../maintain/prune/prune.ts';
import { type Renamed, rename } from '../maintain/repository/rename.ts';
import { rm } from '../maintain/repository/rm.ts';
import { BlockSource } from '../read/blocks/block-source.ts';
import { get } from '../restore/get.ts';
import { Demands, type ToldDemand } from '../storing/demand.ts';
import { TEST_OWNER } from './owner.ts';
import type { TestHome } from './run.ts';
import { treeRoot } from './tree-root.ts';

/** Small enough that a few edits leave shards thin. */
export const SHARD_BYTES = 48 * 1024;

export async function withIndex<T>(home: TestHome, work: (index: Index) => Promise<T>): Promise<T> {
  const index = await home.index();
  try {
    return await work(index);
  } finally {
    await index.close();
  }
}

/** @param options with `replication` and `allocateBy` as on a command line: told for everything */
export function pruneRun(
  home: TestHome,
  index: Index,
  { replication, allocateBy, ...options }: Partial<Maintenance> & ToldDemand = {},
): Maintenance {
  return {
    index,
    peers: home.peers,
    self: TEST_OWNER.id,
    demands: new Demands(index, {
      home: { replication: { min: 1, max: 1 }, allocateBy: ['freespace'] },
      told: { replication, allocateBy },
    }),
    shardBytes: SHARD_BYTES,
    spool: join(home.dir, 'spool'),
    heads: join(home.dir, 'heads'),
    emit: () => {},
    signal: new AbortController().signal,
    now: Date.now,
    ...options,
  };
}

/** By default everything that is unused goes. */
export function pruneHome(home: TestHome, options: Partial<PruneOptions & Maintenance> & ToldDemand = {}): Promise<Pruned> {
  const limits = { maxUnused: { bytes: 0 }, maxRepack: Number.POSITIVE_INFINITY, dryRun: false, ...options };
  return withIndex(home, (index) => prune(pruneRun(home, index, options), limits));
}

export function removeFrom(home: TestHome, names: readonly string[], dryRun = false): Promise<Pruned> {
  return withIndex(home, (index) => rm(pruneRun(home, index), names, { dryRun }));
}

export function renameIn(home: TestHome, from: string, to: string, options: Partial<Maintenance> = {}): Promise<Renamed> {
  return withIndex(home, (index) => rename(pruneRun(home, index, options), index.repository(from) as RepositoryRecord, to, false));
}

export function snapshotsOf(index: Index): SnapshotRecord[] {
  return index.repositories().flatMap(({ name }) => index.snapshots(name));
}

/** Every retained snapshot comes back byte for byte from the shards that it names itself, and from no others. */
export async function assertWhole(home: TestHome): Promise<void> {
  assert.deepEqual(await home.damage(), []);
  await withIndex(home, async (index) => {
    for (const snapshot of snapshotsOf(index)) assert.equal(await restoredRoot(home, index, snapshot), snapshot.tree);
  });
}

/** The root of the tree as `get` restores it. */
async function restoredRoot(home: TestHome, index: Index, { tree, shards, metadata }: SnapshotRecord): Promise<string> {
  const dir = mkdtempSync(join(tmpdir(), 'shardctl-restored-'));
  const locate = (digest: Uint8Array) => {
    const number = shards.find((shard) => index.lists(shard, digest));
    return number === undefined ? undefined : index.shard(number);
  };
  const blocks = new BlockSource({ locate, peers: home.peers });
  try {
    const out = join(dir, 'out');
    const signal = new AbortController().signal;
    await get({ root: parseCid(tree), path: '', out, blocks, emit: () => {}, signal, specialBits: true });
    return cidText(await treeRoot(toBytes(out), { profile: profileOf('unixfs-v1-2025'), metadata }), 1);
  } finally {
    await blocks.close();
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Every peer holds what the retained snapshots need, and nothing else. */
export async function assertNoOrphans(home: TestHome): Promise<void> {
  await withIndex(home, async (index) => {
    const needed = new Map([...home.peers.keys()].map((name): [string, string[]] => [name, []]));
    const snapshots = snapshotsOf(index);
    const shards = [...new Set(snapshots.flatMap((snapshot) => snapshot.shards))].map((number) => index.shard(number));
    for (const shard of [...shards, ...snapshots.map(({ catalogue }) => catalogue)]) {
      assert.ok(shard);
      for (const name of shard.peers) needed.get(name)?.push(shard.cid);
    }
    for (const [name, peer] of home.peers) {
      const held: string[] = [];
      for await (const cid of peer.list()) held.push(cid);
      assert.deepEqual(held.sort(), needed.get(name)?.sort(), `peer ${name}`);
    }
    assert.deepEqual(index.strays(), []);
  });
}
