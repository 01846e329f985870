/**
 * `import-car`: a tree that came as a CAR becomes a snapshot, its blocks packed and placed on this home's own peers.
 *
 *   read, hash → pack → allocate → place → walk → commit
 *
 * The file may come from a stranger: each block must have its hash, and the whole tree must be there, all of it as its nodes say and
 * with an end that can be reached, before anything names it.
 */

import type { DigestMap } from '../../core/digest-map.ts';
import { ShardctlError } from '../../core/errors.ts';
import {
  type BlockId,
  DIGEST_BYTES,
  type EntryCounts,
  leastReplicas,
  type RepositoryRecord,
  type ShardRecord,
  type SnapshotRecord,
} from '../../core/model.ts';
import { blockText, cidText } from '../../dag/cid.ts';
import { decodeNamedNode } from '../../dag/dag-pb.ts';
import { writeHead } from '../../home/heads.ts';
import type { Index } from '../../index/index.ts';
import type { Maintenance } from '../../maintain/maintenance.ts';
import { type Blocks, UnlistedBlock } from '../../read/block-source.ts';
import { placedBlocks } from '../../read/placed-blocks.ts';
import type { TreeEntry } from '../../read/tree.ts';
import { ownBlocks } from '../../shard/batch.ts';
import { buildSnapshot, SNAPSHOT_FORMAT, type SnapshotFile } from '../../snapshot/snapshot.ts';
import { Ledger } from '../../storing/allocate/ledger.ts';
import { raise } from '../../storing/copy/raise.ts';
import { asksOtherwise, type Demand } from '../../storing/demand.ts';
import { pinHeads } from '../../storing/pin-heads.ts';
import { catalogueLabel } from '../../storing/place/labels.ts';
import { placeCatalogue } from '../../storing/place-catalogue.ts';
import { ShardSink } from '../../storing/shard-sink.ts';
import { emptySpool } from '../../storing/spool.ts';
import { UsableShards } from '../../storing/usable-shards.ts';
import { TreeCar } from '../tree-car/tree-car.ts';
import { type AcceptedTree, acceptTree } from './accept.ts';
import { Received } from './received.ts';

export interface ImportCarRun extends Maintenance, Demand {
  readonly repository: string;
  /** What the repository asks for itself, and is remembered by. */
  readonly ownDemand: Partial<Demand>;
  readonly car: AsyncIterable<Uint8Array>;
  /** What it is called in messages. */
  readonly name: string;
  /** CID of the root to take, where the CAR has several. */
  readonly root?: string;
  /** CID profile of a repository that is new here, by the version of the tree's CID. */
  readonly profileOf: (version: 0 | 1) => string;
  readonly toolVersion: string;
}

export interface ImportedCar {
  readonly repository: string;
  readonly number: number;
  readonly snapshot: string;
  readonly tree: string;
  /** The tree is the head's already: no new snapshot was made. */
  readonly unchanged: boolean;
  readonly files: number;
  readonly directories: number;
  readonly symlinks: number;
  /** Of all files. */
  readonly bytes: number;
  readonly newBlocks: number;
  readonly newBytes: number;
  readonly newShards: number;
  /** Blocks of the CAR that the tree does not need: passed over, because no tree has such blocks, and stored until `prune` looks at them. */
  readonly foreignBlocks: number;
  readonly unneededBlocks: number;
}

/** @throws ShardctlError `DAMAGE` when the CAR is none, or does not hold a whole tree: then nothing names what was placed, and `prune` frees it */
export async function importCar(run: ImportCarRun): Promise<ImportedCar> {
  const { index, peers, emit, signal, repository, ownDemand } = run;
  const car = await TreeCar.open(run.car, run.name, run.root);
  if (car.root.inline !== undefined)
    emit({ type: 'warning', message: `the root of ${run.name} is inline in its CID: the tree is stored as ${cidText(car.root, 1)}` });
  const received = new Received(car, run.name);
  const ledger = await Ledger.open(run);
  emptySpool(run.spool);
  const usableShards = await UsableShards.load(index, peers, ledger.silent());
  if (asksOtherwise(run)) await raise(run, { ledger, usableShards }, headShards(run));
  const isEnough = enough(run);
  const usable = (shard: number) => isEnough(shard) && usableShards.isHeld(shard);
  const sink = new ShardSink({ ...run, ledger, usableShards, usable });
  try {
    for await (const blocks of received.batches()) {
      signal.throwIfAborted();
      await sink.add(ownBlocks(blocks));
      emit({ type: 'progress', label: 'import', done: received.blocks, total: 0, bytes: sink.packed.newBytes });
    }
    await sink.finish();
  } catch (error) {
    await sink.abandon();
    emptySpool(run.spool);
    throw error;
  }

  const blocks = placedBlocks(index, peers, { signal });
  try {
    const { root, live, counts, bytes } = await wholeTree(run, car.root, { blocks, received });
    const shards = shardsOf(run, live, usable);
    const tree = cidText(car.root, car.root.version);
    const known = index.repository(repository);
    const parent = known === undefined ? undefined : index.snapshot(repository, known.head);
    const fresh = {
      newBlocks: sink.packed.newBlocks,
      newBytes: sink.packed.newBytes,
      newShards: sink.packed.sealed.length,
      foreignBlocks: car.foreign,
      unneededBlocks: received.countBeside(live),
    };
    if (known !== undefined && parent?.tree === tree && sink.packed.sealed.length === 0 && isWholeIn(parent, index, live.digests())) {
      if (JSON.stringify({ ...known, ...ownDemand }) !== JSON.stringify(known)) await index.saveRepository({ ...known, ...ownDemand });
      return { repository, number: parent.number, snapshot: parent.cid, tree, unchanged: true, ...counts, bytes, ...fresh };
    }
    const record: RepositoryRecord = {
      name: repository,
      source: '',
      head: 0,
      profile: run.profileOf(car.root.version),
      chunker: undefined,
      metadata: root.mode !== undefined || root.mtimeNs !== undefined,
      filters: [],
      ...known,
      ...ownDemand,
    };
    const snapshot = await commit(run, {
      record,
      parent,
      root,
      treeBlock: Buffer.from(await blocks.read(car.root.digest)),
      shards,
      counts,
      bytes,
      tree,
      ledger,
    });
    return { repository, number: snapshot.number, snapshot: snapshot.cid, tree, unchanged: false, ...counts, bytes, ...fresh };
  } finally {
    await blocks.close();
  }
}

function headShards({ index, repository }: ImportCarRun): ShardRecord[] {
  const head = index.snapshot(repository, index.repository(repository)?.head ?? 0);
  return (head?.shards ?? []).map((number) => index.shard(number)).filter((shard) => shard !== undefined);
}

/** What was placed for less than the repository asks for holds nothing for it: its blocks are stored again. */
function enough({ index, peers, replication }: ImportCarRun): (shard: number) => boolean {
  const least = leastReplicas(replication, peers);
  const known = new Map<number, boolean>();
  return (number) => {
    // Asked for each block; the record of a shard is made when it has all its replicas.
    const answer = known.get(number) ?? (index.shard(number)?.peers ?? []).filter((name) => peers.has(name)).length >= least;
    known.set(number, answer);
    return answer;
  };
}

async function wholeTree(
  { emit, signal, name }: ImportCarRun,
  root: BlockId,
  options: { readonly blocks: Blocks; readonly received: Received },
): Promise<AcceptedTree> {
  try {
    return await acceptTree(root, { ...options, name, emit, signal });
  } catch (error) {
    if (error instanceof UnlistedBlock) throw incomplete(name, error.message.replace(/ is in no shard.*/, ''));
    throw error;
  }
}

/** Whether the shards that the snapshot names hold all of these: a list that has lost one is made anew. */
function isWholeIn({ shards }: SnapshotRecord, index: Index, digests: Buffer): boolean {
  const named = new Set(shards);
  for (let at = 0; at < digests.length; at += DIGEST_BYTES)
    if (index.shardOf(digests, at, (shard) => named.has(shard)) === undefined) return false;
  return true;
}

/** The shards that hold these blocks. @throws ShardctlError `DAMAGE` when one is in none */
function shardsOf({ index, name }: ImportCarRun, live: DigestMap, usable: (shard: number) => boolean): number[] {
  const digests = live.digests();
  const shards = new Set<number>();
  for (let at = 0; at < digests.length; at += DIGEST_BYTES) {
    const shard = index.shardOf(digests, at, usable);
    if (shard === undefined) throw incomplete(name, `block ${blockText(digests.subarray(at, at + DIGEST_BYTES))}`);
    shards.add(shard);
  }
  return [...shards].sort((a, b) => a - b);
}

function incomplete(name: string, what: string): ShardctlError {
  return new ShardctlError('DAMAGE', `${name} does not hold its whole tree: ${what} is missing`, {
    hint: 'export it again; `shardctl prune` frees what was placed of it',
  });
}

interface Commit {
  readonly record: RepositoryRecord;
  readonly parent: SnapshotRecord | undefined;
  readonly root: TreeEntry;
  readonly treeBlock: Buffer;
  readonly shards: readonly number[];
  readonly counts: EntryCounts;
  readonly bytes: number;
  readonly tree: string;
  readonly ledger: Ledger;
}

async function commit(run: ImportCarRun, it: Commit): Promise<SnapshotRecord> {
  const { index, repository, heads } = run;
  const { record, parent, root, treeBlock, shards, counts, bytes, tree, ledger } = it;
  const number = (parent?.number ?? 0) + 1;
  const { profile, metadata } = record;
  const time = new Date(run.now()).toISOString();
  const tool = `shardctl ${run.toolVersion}`;
  const file: SnapshotFile = {
    format: SNAPSHOT_FORMAT,
    repository,
    time,
    parent: parent?.cid ?? null,
    profile,
    metadata,
    counts,
    bytes,
    tool,
  };
  const links = shards.map((shard) => {
    const known = index.shard(shard);
    if (known === undefined) throw new Error(`shard ${shard} is not in the index`);
    return known;
  });
  const dagSize = decodeNamedNode(treeBlock).links.reduce((sum, link) => sum + link.dagSize, treeBlock.length);
  const built = buildSnapshot(file, links, { codec: root.codec, digest: root.digest, dagSize }, treeBlock);
  const peerNames = [...ledger.freeBytes().keys()];
  const catalogue = await placeCatalogue(run, { label: catalogueLabel(repository, number), blocks: built.blocks, peerNames });
  const snapshot: SnapshotRecord = {
    repository,
    number,
    cid: built.cid,
    tree,
    parent: file.parent,
    time,
    counts,
    bytes,
    shards,
    catalogue,
    profile,
    metadata,
    tool,
    broughtBy: 'import-car',
  };
  await index.commit({ ...record, head: number }, snapshot);
  writeHead(heads, repository, snapshot.cid);
  await pinHeads(run, repository);
  return snapshot;
}
