/**
 * Looks through peers for snapshots. A snapshot's own blocks are a shard like any other, its catalogue, and nothing marks it from
 * outside: each shard is opened, and its first block looked at. Reads manifests and catalogues, no file data.
 *
 * Whatever is found may come from a stranger: hashes, sizes, names and counts are checked where they are read. Whoever may put one
 * file into a mirror can have a shard begin with the blocks of a snapshot of his own; so a shard is a catalogue only if it holds
 * exactly the blocks of one, in their fixed order, and nothing else. A shard of a tree ends with that tree's root.
 */

import { BoundedQueue } from '../../core/bounded-queue.ts';
import { ShardctlError } from '../../core/errors.ts';
import { peerWarning } from '../../core/events.ts';
import { type BlockId, DAG_PB, DIGEST_BYTES, type PlacedShard } from '../../core/model.ts';
import { sha256 } from '../../dag/cid.ts';
import { decodeNamedNode } from '../../dag/dag-pb.ts';
import { type Peer, peerNamed, type ShardReader } from '../../peer/peer.ts';
import { buildSnapshot, SNAPSHOT_LINKS } from '../../snapshot/snapshot.ts';
import { type ReadSnapshot, readSnapshot } from '../../snapshot/snapshot-reader.ts';
import { inventoriesOf, ownersByShard } from '../../storing/peer-inventory.ts';
import type { Search } from './recover-run.ts';

/** Shards that are opened at once: each question to a daemon takes a few milliseconds, most of which is waiting. */
const AT_ONCE = 8;

export interface FoundSnapshot {
  readonly read: ReadSnapshot;
  readonly catalogue: PlacedShard;
  /** IDs of the homes that have marked its catalogue as their own, sorted. */
  readonly owners: readonly string[];
}

/** The snapshots that were found, and the error of the first that a newer version has written. */
export interface Survey {
  readonly found: readonly FoundSnapshot[];
  readonly newer: ShardctlError | undefined;
}

/** What peers hold: every shard, by the peers that say they have it. */
export type Held = ReadonlyMap<string, ReadonlySet<string>>;

/** Each peer's list of shards; one that does not answer is told of, and may be the one with the snapshot. */
export async function listAll({ peers, emit }: Search): Promise<Held> {
  return await inventoriesOf(peers, (name, error) => {
    emit(peerWarning(name, 'cannot be asked what it holds', error));
  });
}

/** Which homes have marked which shards, on any of the peers that answer. */
type Marked = ReadonlyMap<string, ReadonlySet<string>>;

async function listMarks({ peers }: Search, held: Held): Promise<Marked> {
  const marked = new Map<string, Set<string>>();
  for (const name of held.keys()) await ownersByShard(peerNamed(peers, name), marked);
  return marked;
}

/** Names of the peers that hold a shard, sorted. */
export function holdersIn(held: Held, cid: string): string[] {
  return [...held]
    .filter(([, cids]) => cids.has(cid))
    .map(([name]) => name)
    .sort();
}

/**
 * Every snapshot on the peers that this version can read, in no order.
 * @param isEnough told of each as it is found; when it says true, no more are looked for
 */
export async function survey(search: Search, held: Held, isEnough: (found: FoundSnapshot) => boolean = () => false): Promise<Survey> {
  const { signal, emit } = search;
  const cids = [...new Set([...held.values()].flatMap((list) => [...list]))];
  const marked = await listMarks(search, held);
  const found: FoundSnapshot[] = [];
  const queue = new BoundedQueue(AT_ONCE, AT_ONCE + 1);
  let looked = 0;
  let enough = false;
  let newer: ShardctlError | undefined;
  for (const cid of cids) {
    signal.throwIfAborted();
    if (enough) break;
    await queue.add(async () => {
      const snapshot = await snapshotIn(search, cid, holdersIn(held, cid), (error) => {
        newer ??= error;
      });
      emit({ type: 'progress', label: 'looking for snapshots', done: ++looked, total: cids.length, bytes: 0 });
      if (snapshot === undefined) return;
      const owned = { ...snapshot, owners: [...(marked.get(cid) ?? [])].sort() };
      found.push(owned);
      enough ||= isEnough(owned);
    });
  }
  await queue.drained();
  return { found, newer };
}

/** The snapshot whose catalogue this shard is; undefined when it is an ordinary shard, or nobody can open it. */
async function snapshotIn(
  search: Search,
  cid: string,
  peers: readonly string[],
  onNewer: (error: ShardctlError) => void,
): Promise<Omit<FoundSnapshot, 'owners'> | undefined> {
  for (const name of peers) {
    const reader = await openOn(search, peerNamed(search.peers, name), cid);
    if (reader === undefined) continue;
    try {
      const { digests, lengths, bytes, carBytes } = reader.contents();
      const root: BlockId = { codec: DAG_PB, digest: Uint8Array.from(digests.subarray(0, DIGEST_BYTES)) };
      if (!isSnapshotRoot(await reader.read(root.digest))) return undefined;
      const read = await readSnapshot(root, (digest) => reader.read(digest));
      if (!isCatalogueOf(read, digests)) return undefined;
      return { read, catalogue: { cid, bytes, carBytes, blocks: lengths.length, peers } };
    } catch (error) {
      if (!(error instanceof ShardctlError)) throw error;
      search.signal.throwIfAborted();
      if (error.code === 'NEWER_FORMAT') onNewer(error);
      search.emit(peerWarning(name, 'cannot be read', error));
    } finally {
      await reader.close();
    }
  }
  return undefined;
}

/** Most first blocks are anything but a directory of these three names, and are looked at no further. */
function isSnapshotRoot(block: Uint8Array | undefined): boolean {
  if (block === undefined) return false;
  try {
    return (
      decodeNamedNode(block)
        .links.map(({ name }) => name)
        .join(' ') === SNAPSHOT_LINKS
    );
  } catch (error) {
    if (error instanceof ShardctlError) return false;
    throw error;
  }
}

/** Whether a shard's blocks are those of the snapshot's catalogue, no more and no fewer. */
function isCatalogueOf({ file, shards, tree, treeBlock }: ReadSnapshot, digests: Buffer): boolean {
  const { blocks } = buildSnapshot(file, shards, tree, treeBlock);
  return Buffer.concat(blocks.map(sha256)).equals(digests);
}

/** Undefined when what is there cannot be opened: another peer may have a whole copy. */
export async function openOn({ emit, signal }: Search, peer: Peer, cid: string): Promise<ShardReader | undefined> {
  try {
    return await peer.open(cid);
  } catch (error) {
    if (!(error instanceof ShardctlError)) throw error;
    signal.throwIfAborted();
    emit(peerWarning(peer.name, 'cannot be read', error));
    return undefined;
  }
}
