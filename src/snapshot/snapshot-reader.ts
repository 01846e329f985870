/**
 * Reads a snapshot back from its catalogue's blocks. They may come from a stranger: whoever loads a block has hashed it, names and
 * depth are checked here, and what is held is bounded by the size of a catalogue.
 */

import { ShardctlError } from '../core/errors.ts';
import { type BlockId, DAG_PB, RAW, type Root } from '../core/model.ts';
import { cidText } from '../dag/cid.ts';
import { PROFILES, profileNamed } from '../dag/cid-profile.ts';
import { decodeNamedNode } from '../dag/dag-pb.ts';
import { hamtLinks } from '../dag/hamt-reader.ts';
import type { DagNode, Link } from '../dag/node-reader.ts';
import { type ShardLink, SNAPSHOT_FORMAT, type SnapshotFile } from './snapshot.ts';

export interface ReadSnapshot {
  readonly cid: string;
  readonly file: SnapshotFile;
  /** In ascending order of their numbers. */
  readonly shards: readonly ShardLink[];
  readonly tree: Root;
  /** The block of the tree's root. */
  readonly treeBlock: Buffer;
}

/** Gives a block of the catalogue, whose hash was checked; undefined when the catalogue has none. */
export type LoadBlock = (digest: Uint8Array) => Promise<Uint8Array | undefined>;

/** RFC 3339. `Date.parse` by itself accepts much else, for instance anything in parentheses. */
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/;
const CID = /^[0-9A-Za-z]{1,128}$/;
/** A program and its version. */
const TOOL = /^[\x20-\x7e]{1,100}$/;

/** The block table holds a shard's number in 32 bits; a recovered home needs numbers above the snapshot's for new shards. */
const MAX_NUMBER = 2 ** 31;

/** @throws ShardctlError `DAMAGE` when it is not a snapshot, `NEWER_FORMAT` when this version does not know its format */
export async function readSnapshot(root: BlockId, load: LoadBlock): Promise<ReadSnapshot> {
  const cid = cidText(root, 1);
  const links = new Map((await nodeOf(root, load)).links.map((link) => [link.name, link]));
  const [shards, json, tree] = ['shards', 'snapshot.json', 'tree'].map((name) => links.get(name));
  if (shards === undefined || json === undefined || tree === undefined) throw damaged(cid, 'is not a snapshot');
  const file = parse(cid, Buffer.from(await blockOf(json, load)).toString('utf8'));
  const { codec, digest, dagSize } = tree;
  return {
    cid,
    file,
    shards: (await namesIn(shards, load)).map((link) => shardLink(cid, link)).sort((a, b) => a.number - b.number),
    tree: { codec, digest: Uint8Array.from(digest), dagSize },
    treeBlock: Buffer.from(await blockOf(tree, load)),
  };
}

async function namesIn(id: BlockId, load: LoadBlock): Promise<readonly Link[]> {
  const node = await nodeOf(id, load);
  if (node.type === 'directory') return node.links;
  if (node.type !== 'hamt') throw damaged(cidText(id, 1), 'is not a directory');
  return await hamtLinks(id, node, (below) => blockOf(below, load));
}

async function nodeOf(id: BlockId, load: LoadBlock): Promise<DagNode> {
  if (id.codec === RAW) throw damaged(cidText(id, 1), 'is not a directory');
  return decodeNamedNode(await blockOf(id, load));
}

async function blockOf(id: BlockId, load: LoadBlock): Promise<Uint8Array> {
  const block = await load(id.digest);
  if (block === undefined) throw damaged(cidText(id, 1), 'is missing from the catalogue');
  return block;
}

function shardLink(cid: string, { name, codec, digest, dagSize }: Link): ShardLink {
  const number = Number(name);
  if (!/^\d{8,10}$/.test(name) || number > MAX_NUMBER || codec !== DAG_PB) throw damaged(cid, `has a shard named "${name}"`);
  return { number, cid: cidText({ codec, digest }, 1), dagSize };
}

function parse(cid: string, text: string): SnapshotFile {
  let file: Partial<SnapshotFile>;
  try {
    file = JSON.parse(text) as Partial<SnapshotFile>;
  } catch {
    throw damaged(cid, 'has a snapshot.json that is not JSON');
  }
  if (typeof file?.format === 'number' && file.format > SNAPSHOT_FORMAT) {
    throw new ShardctlError('NEWER_FORMAT', `snapshot ${cid} has format ${file.format}; this shardctl knows ${SNAPSHOT_FORMAT}`, {
      hint: 'use the newer shardctl that wrote it',
    });
  }
  const { repository, time, parent, profile, metadata, counts, bytes, tool } = file ?? {};
  const known =
    typeof repository === 'string' &&
    typeof time === 'string' &&
    TIME.test(time) &&
    !Number.isNaN(Date.parse(time)) &&
    (parent === null || (typeof parent === 'string' && CID.test(parent))) &&
    typeof profile === 'string' &&
    isProfile(profile) &&
    typeof metadata === 'boolean' &&
    typeof tool === 'string' &&
    TOOL.test(tool) &&
    [counts?.files, counts?.directories, counts?.symlinks, bytes].every((count) => Number.isSafeInteger(count) && (count as number) >= 0);
  if (!known) throw damaged(cid, 'has a snapshot.json with fields that no snapshot has');
  return file as SnapshotFile;
}

function isProfile(name: string): boolean {
  try {
    // Names like `constructor` are in every object.
    return Object.hasOwn(PROFILES, name.replace(/\+.*$/s, '')) && profileNamed(name).name === name;
  } catch (error) {
    if (error instanceof ShardctlError) return false;
    throw error;
  }
}

function damaged(cid: string, why: string): ShardctlError {
  return new ShardctlError('DAMAGE', `${cid} ${why}`);
}
