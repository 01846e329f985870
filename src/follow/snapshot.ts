/** Reads a snapshot that a stranger has published, and makes its catalogue, which every follower holds: with it and all shards the tree can be restored. */
import { ShardctlError } from '../core/errors.ts';
import type { Emit } from '../core/events.ts';
import { type BlockId, DAG_PB } from '../core/model.ts';
import { cidText, parseCid } from '../dag/cid.ts';
import { decodeNode } from '../dag/node-reader.ts';
import { checkRepositoryName } from '../snapshot/repository-name.ts';
import { buildSnapshot, SNAPSHOT_LINKS } from '../snapshot/snapshot.ts';
import { type ReadSnapshot, readSnapshot } from '../snapshot/snapshot-reader.ts';
import type { NearGateways } from './near-gateways.ts';
import type { FollowState } from './state.ts';

/** Bytes of a snapshot's own blocks: a million shards take 60 MB. */
const MOST_BYTES = 256 * 1024 * 1024;

export interface FollowedSnapshot extends ReadSnapshot {
  /** Of its catalogue, in their order. */
  readonly blocks: readonly Buffer[];
}

export interface SnapshotSource {
  readonly root: BlockId;
  readonly gateways: NearGateways;
  /** Also a snapshot that is older than the one that was followed. */
  readonly allowsOlder: boolean;
  readonly emit: Emit;
}

/**
 * The snapshot at `root`; the one that was followed before when that is older, because a name that goes back is not believed.
 * @throws ShardctlError `USAGE` when it is of another repository, and as `readFollowed` does
 */
export async function newestOf(
  { root, gateways, allowsOlder, emit }: SnapshotSource,
  before: FollowState | undefined,
): Promise<FollowedSnapshot> {
  const snapshot = await readFollowed(root, gateways);
  if (before === undefined || snapshot.cid === before.snapshot) return snapshot;
  const { repository, time } = snapshot.file;
  if (repository !== before.repository) {
    throw new ShardctlError('USAGE', `this home follows "${before.repository}", and this is a snapshot of "${repository}"`, {
      hint: 'follow it with a home of its own: --home DIR',
    });
  }
  if (allowsOlder || Date.parse(time) >= Date.parse(before.time)) return snapshot;
  emit({
    type: 'warning',
    message: `snapshot ${snapshot.cid} is of ${time}; the newer one, of ${before.time}, is followed on`,
    hint: 'if the repository was rolled back on purpose, say --older',
  });
  return await readFollowed(parseCid(before.snapshot), gateways);
}

/**
 * @throws ShardctlError `DAMAGE` when it is no snapshot or too large for one, `NEWER_FORMAT`, `TOO_FEW_PEERS` when no gateway gives it
 */
async function readFollowed(root: BlockId, gateways: NearGateways): Promise<FollowedSnapshot> {
  const near = await gateways.having(root);
  assertSnapshot(root, await near.block(root));
  let bytes = 0;
  const snapshot = await readSnapshot(root, async (digest) => {
    const block = await near.read(digest);
    bytes += block.length;
    if (bytes > MOST_BYTES) throw new ShardctlError('DAMAGE', `the snapshot lists more shards than fit into ${MOST_BYTES} bytes`);
    return block;
  });
  const { file, cid } = snapshot;
  assertName(file.repository, cid);
  const blocks = catalogueBlocks(snapshot);
  if (blocks !== undefined) return { ...snapshot, blocks };
  throw new ShardctlError('DAMAGE', `snapshot ${cid} is not laid out as snapshots are, so it has no catalogue`);
}

function assertSnapshot(root: BlockId, block: Uint8Array): void {
  const cid = cidText(root, 1);
  const names = root.codec === DAG_PB ? decodeNode(block).links.map(({ name }) => name) : [];
  if (names.join(' ') === SNAPSHOT_LINKS) return;
  throw new ShardctlError('USAGE', `${cid} is no snapshot`, {
    hint: 'the name of a tree does not say where its shards are: ask for the second name, which `shardctl publish NAME --snapshot` keeps, or name the `serve`, as http://HOST/NAME, or the CID of a snapshot',
  });
}

/** Undefined when nobody writes the snapshot in this way. */
function catalogueBlocks({ file, shards, tree, treeBlock, cid }: ReadSnapshot): readonly Buffer[] | undefined {
  try {
    const built = buildSnapshot(file, shards, tree, treeBlock);
    return built.cid === cid ? built.blocks : undefined;
  } catch {
    // Sizes whose sum is more than a number can hold, for one.
    return undefined;
  }
}

/** It stands in the names of pins, and in messages. */
function assertName(name: string, cid: string): void {
  try {
    checkRepositoryName(name);
  } catch (error) {
    throw new ShardctlError('DAMAGE', `snapshot ${cid} has a name that no repository may have`, { cause: error });
  }
}
