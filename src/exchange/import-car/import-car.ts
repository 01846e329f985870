/**
 * `import-car`: packs the blocks of a CAR, places them on this home's peers, and makes the CAR's tree a snapshot.
 *
 *   read, hash → pack → allocate → place → walk → commit
 *
 * The CAR may come from a stranger: no snapshot names its tree before each block was hashed and the whole tree was walked to its
 * end (`accept.ts`).
 */

import type { DigestMap } from '../../core/digest-map.ts';
import { ShardctlError } from '../../core/errors.ts';
import {
  type BlockId,
  DIGEST_BYTES,
  isHeld,
  leastReplicas,
  newestOf,
  type RepositoryRecord,
  type ShardRecord,
  type SnapshotRecord,
} from '../../core/model.ts';
import { blockText, cidText, parseCid } from '../../dag/cid.ts';
import type { Index } from '../../index/index.ts';
import { type Blocks, UnlistedBlock } from '../../read/blocks/block-source.ts';
import { placedBlocks } from '../../read/blocks/placed-blocks.ts';
import { liveBlocks } from '../../read/tree/reachable.ts';
import { ownBlocks } from '../../shard/batch.ts';
import { Ledger } from '../../storing/allocate/ledger.ts';
import { raise } from '../../storing/copy/raise.ts';
import { asksOtherwise } from '../../storing/demand.ts';
import { ShardSink } from '../../storing/shard-sink.ts';
import { emptyOwnSpool } from '../../storing/spool.ts';
import { UsableShards } from '../../storing/usable-shards.ts';
import { TreeCar } from '../tree-car/tree-car.ts';
import { type AcceptedTree, acceptTree } from './accept.ts';
import { commitTree } from './commit.ts';
import { Received } from './received.ts';
import type { ImportCarRun } from './run.ts';

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
  /** Bytes of all files. */
  readonly bytes: number;
  readonly newBlocks: number;
  readonly newBytes: number;
  readonly newShards: number;
  /** Blocks of the CAR that were passed over, because no tree has such blocks. */
  readonly foreignBlocks: number;
  /** Blocks of the CAR that were stored and that the tree does not need; `prune` removes them. */
  readonly unneededBlocks: number;
  /** Shards that were to get more replicas, and of which no whole copy can be read; absent for none. */
  readonly unreadableShards?: number;
}

/** @throws ShardctlError `DAMAGE` when it is no CAR, or does not hold a whole tree: then no snapshot names what was placed, and `prune` frees it */
export async function importCar(run: ImportCarRun): Promise<ImportedCar> {
  const { index, peers, emit, signal, repository, ownDemand } = run;
  const car = await TreeCar.open(run.car, run.name, run.root);
  if (car.root.inline !== undefined)
    emit({ type: 'warning', message: `the root of ${run.name} is inline in its CID: the tree is stored as ${cidText(car.root, 1)}` });
  const received = new Received(car, run.name);
  const ledger = await Ledger.open(run);
  emptyOwnSpool(run.spool);
  const usableShards = await UsableShards.load(index, peers, ledger.silent());
  const unreadable = asksOtherwise(run) ? await raise(run, { ledger, usableShards }, headShards(run)) : 0;
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
    emptyOwnSpool(run.spool);
    throw error;
  }

  const blocks = placedBlocks(index, peers, { signal });
  try {
    const { root, live, counts, bytes } = await wholeTree(run, car.root, { blocks, received });
    await refuseOthers(run, live, { blocks, received });
    const shards = shardsOf(run, live, usable);
    const tree = cidText(car.root, car.root.version);
    const known = index.repository(repository);
    const parent = known === undefined ? undefined : index.snapshot(repository, newestOf(known));
    const fresh = {
      newBlocks: sink.packed.newBlocks,
      newBytes: sink.packed.newBytes,
      newShards: sink.packed.sealed.length,
      foreignBlocks: car.foreign,
      unneededBlocks: received.countBeside(live),
      ...(unreadable > 0 ? { unreadableShards: unreadable } : {}),
    };
    if (
      known !== undefined &&
      parent?.tree === tree &&
      !isHeld(parent) &&
      sink.packed.sealed.length === 0 &&
      isWholeIn(parent, index, live.digests())
    ) {
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
    const snapshot = await commitTree(run, {
      record,
      parent,
      root,
      treeBlock: Buffer.from(await blocks.read(car.root.digest)),
      shards,
      counts,
      bytes,
      tree,
      peerNames: [...ledger.freeBytes().keys()],
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

/** Whether a shard has as many replicas as the repository asks for. Blocks in shards with fewer are stored again. */
function enough({ index, peers, replication }: ImportCarRun): (shard: number) => boolean {
  const least = leastReplicas(replication, peers);
  const known = new Map<number, boolean>();
  return (number) => {
    // Asked for each block. The answer stays: a shard is recorded when it has all its replicas.
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

/**
 * What the CAR left out must be the repository's own. Whoever makes CARs could else link to a block of another repository, of which he
 * knows no more than the CID, and read it here: this repository may be open to him, and the other one may not.
 * @throws ShardctlError `DAMAGE`
 */
async function refuseOthers(
  { index, repository, name, emit, signal }: ImportCarRun,
  live: DigestMap,
  { blocks, received }: { readonly blocks: Blocks; readonly received: Received },
): Promise<void> {
  const digests = live.digests();
  let own: DigestMap | undefined;
  for (let at = 0; at < digests.length; at += DIGEST_BYTES) {
    const digest = digests.subarray(at, at + DIGEST_BYTES);
    if (received.lengthOf(digest) !== undefined) continue;
    own ??= await liveBlocks(
      index.snapshots(repository).map(({ tree }) => parseCid(tree)),
      { blocks, emit, signal },
    );
    if (own.get(digests, at) === undefined) throw incomplete(name, `block ${blockText(digest)}`);
  }
}

/** Whether the shards that the snapshot names hold all of these blocks. If its list has lost a shard, a new snapshot is made. */
function isWholeIn({ shards }: SnapshotRecord, index: Index, digests: Buffer): boolean {
  const named = new Set(shards);
  for (let at = 0; at < digests.length; at += DIGEST_BYTES)
    if (index.shardOf(digests, at, (shard) => named.has(shard)) === undefined) return false;
  return true;
}

/** The numbers of the shards that hold the blocks of a tree. @throws ShardctlError `DAMAGE` when one is in none */
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
