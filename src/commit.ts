/**
 * commit — the end of the pipeline: the catalogue goes to every peer, then the snapshot and the head change in one
 * transaction. Before it nothing that the head names has changed; after it everything that the head names is on its peers.
 */
import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Ledger } from './allocate/ledger.ts';
import { cidText } from './dag/cid.ts';
import { syncDirectory } from './durable.ts';
import { ShardctlError } from './errors.ts';
import type { IngestRun, Parent } from './ingest.ts';
import type { Tree } from './link/link.ts';
import type { PlacedShard, SnapshotRecord } from './model.ts';
import { OpenShard } from './pack/open-shard.ts';
import type { Packer } from './pack/packer.ts';
import { SectionCursor } from './shard/car.ts';
import { RunBuilder } from './shard/run.ts';
import { buildSnapshot, SNAPSHOT_FORMAT, type SnapshotFile } from './snapshot/snapshot.ts';
import type { Tally } from './tally.ts';

export interface Commit {
  readonly run: IngestRun;
  readonly parent: Parent | undefined;
  readonly number: number;
  readonly tree: Tree;
  readonly tally: Tally;
  readonly packer: Packer;
  readonly ledger: Ledger;
}

export async function commit(it: Commit): Promise<SnapshotRecord> {
  const { run, parent, number, tree, tally } = it;
  const time = new Date(run.now()).toISOString();
  const counts = { files: tally.files, directories: tally.directories, symlinks: tally.symlinks };
  const file: SnapshotFile = {
    format: SNAPSHOT_FORMAT,
    repository: run.repository,
    time,
    parent: parent?.snapshot.cid ?? null,
    profile: run.profile.name,
    metadata: run.metadata,
    counts,
    bytes: tally.bytes,
    tool: `shardctl ${run.toolVersion}`,
  };
  const shards = shardsOf(it);
  const links = shards.map((shard) => {
    const record = run.index.shard(shard);
    if (record === undefined) throw new Error(`shard ${shard} is not in the index`);
    return record;
  });
  const built = buildSnapshot(file, links, tree.root, tree.block);
  const catalogue = await placeCatalogue(it, built.blocks);
  const snapshot: SnapshotRecord = {
    repository: run.repository,
    number,
    cid: built.cid,
    tree: cidText(tree.root, run.profile.cidVersion),
    parent: file.parent,
    time,
    counts,
    bytes: tally.bytes,
    shards,
    catalogue,
    profile: run.profile.name,
  };
  await run.index.commit(
    {
      name: run.repository,
      source: run.source,
      head: number,
      profile: run.profile.name,
      chunker: run.chunker,
      metadata: run.metadata,
      filters: run.filters,
    },
    snapshot,
  );
  writeHead(run.heads, run.repository, snapshot.cid);
  return snapshot;
}

/** The shards that the snapshot needs: the parent's as long as anything was taken over from it, the new ones, and those met again. */
function shardsOf({ parent, packer }: Commit): number[] {
  const inherited = parent?.entries === undefined ? [] : parent.snapshot.shards;
  return [...new Set([...inherited, ...packer.reusedShards, ...packer.sealed])].sort((a, b) => a - b);
}

/** Seals the catalogue and puts it on every peer; as many as a shard needs must take it. */
async function placeCatalogue({ run, ledger, number }: Commit, blocks: readonly Buffer[]): Promise<PlacedShard> {
  const { replication, peers, signal } = run;
  const shard = new OpenShard(run.spool, run.index.nextShardNumber());
  const builder = new RunBuilder();
  for (const block of blocks) builder.add(block);
  const sections = builder.take();
  for (const cursor = new SectionCursor(sections); cursor.next(); ) shard.note(sections, cursor.digestAt, cursor.end - cursor.dataAt);
  void shard.write(sections);
  const { cid, bytes, blocks: count, carPath, carBytes } = await shard.seal();
  const sealed = { cid, label: `${run.repository} ${number} catalogue`, bytes, blocks: count, carPath, carBytes };

  let failure: ShardctlError | undefined;
  const holders: string[] = [];
  for (const name of ledger.freeBytes().keys()) {
    try {
      await peers.get(name)?.put(sealed, { mayConsume: false, signal });
      holders.push(name);
    } catch (error) {
      if (!(error instanceof ShardctlError)) throw error;
      failure = error;
      run.emit({ type: 'warning', message: `peer ${name} has no copy of the catalogue: ${error.message}` });
    }
  }
  rmSync(carPath, { force: true });
  const least = Math.max(1, replication.min < 0 ? peers.size : replication.min);
  if (holders.length < least)
    throw failure ?? new ShardctlError('TOO_FEW_PEERS', `only ${holders.length} of ${least} peers took the catalogue`);
  return { cid, bytes, blocks: count, carBytes, peers: holders };
}

/** For people, scripts and `recover`: the newest snapshot as a line of text, which outlives the index. */
function writeHead(dir: string, repository: string, cid: string): void {
  mkdirSync(dir, { recursive: true });
  const path = join(dir, encodeURIComponent(repository));
  const fd = openSync(`${path}.tmp`, 'w');
  writeSync(fd, `${cid}\n`);
  fsyncSync(fd);
  closeSync(fd);
  renameSync(`${path}.tmp`, path);
  syncDirectory(dir);
}
