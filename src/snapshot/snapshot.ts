/**
 * Builds the small UnixFS directory that a snapshot is, and the blocks of its catalogue.
 *
 *   <snapshot>/tree            the repository root
 *   <snapshot>/shards/         00000000, 00000001, …: every shard that this snapshot needs
 *   <snapshot>/snapshot.json   what it is: see `SnapshotFile`
 *
 * The catalogue is a shard of its own that goes to every peer. It holds the blocks of this directory, and of the tree only the
 * root. The order of its blocks is fixed (snapshot root, `shards/` top down, `snapshot.json`, tree root), so that anyone who has
 * the snapshot can compute the catalogue's CID.
 */

import { type BlockId, DAG_PB, type EntryCounts, RAW, type Root } from '../core/model.ts';
import { cidText, parseCid, sha256 } from '../dag/cid.ts';
import { profileOf } from '../dag/cid-profile.ts';
import { encodeNamedLinks, type NamedLink } from '../dag/dag-pb.ts';
import type { DirectoryLinks } from '../dag/directory-links.ts';
import { buildDirectory } from '../dag/directory-node.ts';
import { CID_COLUMN_BYTES } from '../walk/directory.ts';

export const SNAPSHOT_FORMAT = 1;

/** Names of a snapshot's links, in their order. A tree may have them, too, and is then found out as none. */
export const SNAPSHOT_LINKS = 'shards snapshot.json tree';

/** What `snapshot.json` says. */
export interface SnapshotFile {
  readonly format: number;
  readonly repository: string;
  /** RFC 3339. */
  readonly time: string;
  /** CID of the snapshot that this one was updated from. */
  readonly parent: string | null;
  /** CID profile of `tree/`. */
  readonly profile: string;
  /** Whether mode and mtime are in the tree. */
  readonly metadata: boolean;
  readonly counts: EntryCounts;
  readonly bytes: number;
  readonly tool: string;
}

/** What `snapshot.json` says of a snapshot; the order of the fields is part of its CID. */
export function snapshotFile(record: Omit<SnapshotFile, 'format'>): SnapshotFile {
  const { repository, time, parent, profile, metadata, counts, bytes, tool } = record;
  return { format: SNAPSHOT_FORMAT, repository, time, parent, profile, metadata, counts, bytes, tool };
}

/** A shard as the snapshot links it. */
export interface ShardLink {
  readonly number: number;
  readonly cid: string;
  readonly dagSize: number;
}

export interface BuiltSnapshot {
  readonly root: BlockId;
  readonly cid: string;
  /** The catalogue's blocks, in its fixed order. */
  readonly blocks: readonly Buffer[];
}

/** The snapshot's own nodes always follow this profile, whatever the tree does. */
const PROFILE = profileOf('unixfs-v1-2025');

/** @param shards in ascending order of their numbers @param treeBlock the block of the tree's root */
export function buildSnapshot(file: SnapshotFile, shards: readonly ShardLink[], tree: Root, treeBlock: Buffer): BuiltSnapshot {
  const json = Buffer.from(`${JSON.stringify(file, null, 2)}\n`);
  const shardNodes: Buffer[] = [];
  const shardsRoot = directory(shards.map(namedLink), shardNodes);
  const jsonRoot: Root = { codec: RAW, digest: sha256(json), dagSize: json.length };
  const rootNodes: Buffer[] = [];
  const root = directory(
    [
      ['shards', shardsRoot],
      ['snapshot.json', jsonRoot],
      ['tree', tree],
    ],
    rootNodes,
  );
  // Children were made before their parents; the catalogue goes top down.
  return { root, cid: cidText(root, 1), blocks: [...rootNodes, ...shardNodes.reverse(), json, treeBlock] };
}

function namedLink({ number, cid, dagSize }: ShardLink): NamedLink {
  return [String(number).padStart(8, '0'), { ...parseCid(cid), dagSize }];
}

/** Builds a directory and appends its nodes to `nodes`, children before parents. */
function directory(links: readonly NamedLink[], nodes: Buffer[]): Root {
  const block = encodeNamedLinks(links, PROFILE.cidVersion);
  if (block.length > PROFILE.hamtThreshold) return hamtDirectory(links, nodes);
  nodes.push(block);
  const dagSize = links.reduce((sum, [, target]) => sum + target.dagSize, block.length);
  return { codec: DAG_PB, digest: sha256(block), dagSize };
}

/** @ipld/dag-pb makes no HAMT directories: from about 4,000 shards on our own encoder does. */
function hamtDirectory(links: readonly NamedLink[], nodes: Buffer[]): Root {
  const cids = Buffer.alloc(links.length * CID_COLUMN_BYTES);
  for (const [at, [, { codec, digest }]] of links.entries()) {
    cids[at * CID_COLUMN_BYTES] = codec;
    cids.set(digest, at * CID_COLUMN_BYTES + 1);
  }
  const columns: DirectoryLinks = {
    count: links.length,
    names: links.map(([name]) => name),
    cids,
    dagSizes: Float64Array.from(links, ([, { dagSize }]) => dagSize),
  };
  return buildDirectory(columns, undefined, PROFILE, (block) => {
    nodes.push(block);
    return sha256(block);
  });
}
