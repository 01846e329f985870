/** Finds the manifest of a CAR at the end of the file. */

import { DigestMap } from '../../../core/digest-map.ts';
import { ShardctlError } from '../../../core/errors.ts';
import { DAG_PB, DIGEST_BYTES, RAW } from '../../../core/model.ts';
import { CID_V1_BYTES, hashesTo } from '../../../dag/cid.ts';
import { decodeNode } from '../../../dag/node-reader.ts';
import { SectionCursor } from '../../../shard/car.ts';
import type { CarFile } from './car-file.ts';

/** The manifest takes about 45 bytes a block, so that of a shard of ordinary files fits in. */
const FIRST_TAIL_BYTES = 256 * 1024;
const TAIL_GROWTH = 8;
const MAX_MANIFEST_HEIGHT = 4;
/** A node of 1024 links has less than 64 KiB. */
const MAX_NODE_VARINT_BYTES = 3;

export interface ManifestPlace {
  readonly nodes: (digest: Uint8Array) => Uint8Array | undefined;
  /** Offset at which the last block ends and the manifest begins. */
  readonly blocksEnd: number;
}

/**
 * Finds the manifest by its root, which is the last section. Each node comes before the node that links to it, so the leftmost node of
 * the lowest level is the first section after the blocks.
 */
export function findManifest(file: CarFile, rootDigest: Uint8Array): ManifestPlace {
  for (let tailBytes = FIRST_TAIL_BYTES; ; tailBytes *= TAIL_GROWTH) {
    const tailAt = Math.max(0, file.size - tailBytes);
    const tail = file.bytes(tailAt, file.size - tailAt);
    const root = findSection(tail, rootDigest, tail.length);
    if (root?.end !== tail.length) throw new ShardctlError('DAMAGE', 'its manifest is cut or changed');
    const first = leftmostNode(tail, root);
    if (first !== undefined) return { nodes: nodesFrom(tail, first), blocksEnd: tailAt + first };
    if (tailAt === 0) throw new ShardctlError('DAMAGE', 'a part of its manifest is missing or changed');
  }
}

function leftmostNode(tail: Buffer, root: SectionCursor): number | undefined {
  let section: SectionCursor | undefined = root;
  for (let height = 0; height < MAX_MANIFEST_HEIGHT && section !== undefined; height++) {
    const child = decodeNode(tail.subarray(section.dataAt, section.end)).links[0];
    if (child === undefined || child.codec === RAW) return section.start;
    section = findSection(tail, child.digest, section.start);
  }
  return undefined;
}

/** The last section before `before` that holds the node with this digest. The digest also stands in links; only the hash tells them apart. */
export function findSection(tail: Buffer, digest: Uint8Array, before: number): SectionCursor | undefined {
  for (let at = before; at > 0; ) {
    at = tail.lastIndexOf(digest, at - 1);
    if (at < 0) return undefined;
    const cidAt = at + DIGEST_BYTES - CID_V1_BYTES;
    for (let varint = 1; varint <= MAX_NODE_VARINT_BYTES; varint++) {
      const section = sectionAt(tail, cidAt - varint, before);
      if (section?.digestAt === at && hashesTo(tail.subarray(section.dataAt, section.end), digest)) return section;
    }
  }
  return undefined;
}

function sectionAt(tail: Buffer, start: number, limit: number): SectionCursor | undefined {
  if (start < 0) return undefined;
  const cursor = new SectionCursor(tail, start, limit);
  try {
    return cursor.next() ? cursor : undefined;
  } catch {
    return undefined;
  }
}

function nodesFrom(tail: Buffer, first: number): (digest: Uint8Array) => Uint8Array | undefined {
  const places = new DigestMap();
  const ends: number[] = [];
  const starts: number[] = [];
  const cursor = new SectionCursor(tail, first);
  while (cursor.next()) {
    if (cursor.codec !== DAG_PB) throw new ShardctlError('DAMAGE', 'blocks come after its manifest');
    places.add(tail, cursor.digestAt, starts.length);
    starts.push(cursor.dataAt);
    ends.push(cursor.end);
  }
  if (cursor.torn) throw new ShardctlError('DAMAGE', 'its last section is cut');
  return (digest) => {
    const place = places.get(digest);
    if (place === undefined) return undefined;
    const bytes = tail.subarray(starts[place], ends[place]);
    return hashesTo(bytes, digest) ? bytes : undefined;
  };
}
