/**
 * Finds the blocks of a CAR whose manifest cannot be read. Each section holds the hash of its block, so a section whose bytes have that
 * hash is a good block, wherever it lies. If all blocks are found, in their order, the manifest that is made of them is the shard's.
 */

import { DigestMap } from '../../../core/digest-map.ts';
import { type BlockId, type Codec, DIGEST_BYTES, RAW } from '../../../core/model.ts';
import { CID_V1_BYTES, hashesTo, sameDigest } from '../../../dag/cid.ts';
import { CAR_HEADER_BYTES, MAX_BLOCK_BYTES, SectionCursor, sectionHeaderBytes } from '../../../shard/car.ts';
import { LINKS_OF_MANIFESTS, type Manifest, ManifestBuilder, readManifest } from '../../../shard/manifest.ts';
import type { CarFile } from './car-file.ts';

/** Two of the largest sections fit in, so that a section which begins in the first half of a window is in it whole. */
const WINDOW_BYTES = 2 * (MAX_BLOCK_BYTES + 64);
/** These bytes follow the codec in the CID of every section. */
const SHA2_256 = Buffer.from([0x12, DIGEST_BYTES]);
/** Bytes of a CID's version and codec. */
const BEFORE_HASH = 2;
const MAX_VARINT_BYTES = 4;
/**
 * A file is given up after this many times its size was hashed in vain. Bytes that look like a section and are none cost a hash, and a
 * hostile package may be full of them.
 */
const MOST_IN_VAIN = 16;

export interface FoundBlocks {
  /** Digest → position in the arrays, in the order of the file. */
  readonly blocks: DigestMap;
  /** Where the bytes of each begin. */
  readonly dataAt: Float64Array;
  readonly lengths: readonly number[];
  /** The shard's manifest if all its blocks were found. */
  readonly manifest: Manifest | undefined;
}

export async function findBlocks(file: CarFile, root: BlockId): Promise<FoundBlocks> {
  const blocks = new DigestMap();
  const dataAt: number[] = [];
  const lengths: number[] = [];
  for await (const { codec, digest, at, length } of sectionsIn(file)) {
    if (codec !== RAW || !blocks.add(digest, 0, lengths.length)) continue;
    dataAt.push(at);
    lengths.push(length);
  }
  return { blocks, dataAt: Float64Array.from(dataAt), lengths, manifest: await manifestOf(blocks, lengths, root) };
}

async function manifestOf(blocks: DigestMap, lengths: readonly number[], root: BlockId): Promise<Manifest | undefined> {
  if (lengths.length === 0) return undefined;
  const digests = blocks.digests();
  for (const links of LINKS_OF_MANIFESTS) {
    const builder = new ManifestBuilder(links);
    for (const [index, length] of lengths.entries()) builder.add(digests, index * DIGEST_BYTES, length);
    const places = new DigestMap();
    const nodes: Buffer[] = [];
    const made = builder.finish((node, digest) => void places.add(digest, 0, nodes.push(node) - 1));
    if (sameDigest(made.digest, root.digest)) return await readManifest(root, (digest) => nodes[places.get(digest) ?? -1]);
  }
  return undefined;
}

interface FoundSection {
  readonly codec: Codec;
  readonly digest: Uint8Array;
  /** Where its block begins in the file. */
  readonly at: number;
  readonly length: number;
}

/** Sections whose blocks have their hashes. Those after a damaged one are found by the bytes with which every section begins. */
async function* sectionsIn(file: CarFile): AsyncGenerator<FoundSection> {
  const window = Buffer.allocUnsafe(WINDOW_BYTES);
  let inVain = 0;
  const mayWaste = (wasted: number) => {
    inVain += wasted;
    return inVain < MOST_IN_VAIN * (file.size + WINDOW_BYTES);
  };
  for (let from = CAR_HEADER_BYTES; from < file.size; ) {
    const bytes = window.subarray(0, await file.fill(window, from));
    // A section that begins in the second half may end outside of the window. The next window begins there, or before.
    const limit = from + bytes.length >= file.size ? bytes.length : WINDOW_BYTES / 2;
    let at = 0;
    while (at < limit) {
      const section = nextSection(bytes, at, limit, mayWaste);
      if (section === undefined) break;
      at = section.end;
      yield {
        codec: section.codec,
        digest: Buffer.from(bytes.subarray(section.digestAt, section.dataAt)),
        at: from + section.dataAt,
        length: section.end - section.dataAt,
      };
    }
    from += Math.max(at, limit);
  }
}

/** The first good section that begins in `from`…`limit`. @param mayWaste is told how many bytes were hashed in vain; false ends the search */
function nextSection(bytes: Buffer, from: number, limit: number, mayWaste: (bytes: number) => boolean): SectionCursor | undefined {
  const expected = sectionAt(bytes, from);
  if (expected !== undefined && isGood(bytes, expected)) return expected;
  for (let hashAt = from; ; hashAt++) {
    hashAt = bytes.indexOf(SHA2_256, hashAt);
    if (hashAt < 0 || hashAt - BEFORE_HASH - MAX_VARINT_BYTES >= limit) return undefined;
    for (let varint = 1; varint <= MAX_VARINT_BYTES; varint++) {
      const start = hashAt - BEFORE_HASH - varint;
      if (start < from || start >= limit) continue;
      const section = sectionAt(bytes, start);
      if (section === undefined || section.digestAt !== hashAt + SHA2_256.length) continue;
      if (isGood(bytes, section)) return section;
      if (!mayWaste(section.end - section.dataAt)) return undefined;
    }
  }
}

function sectionAt(bytes: Buffer, start: number): SectionCursor | undefined {
  const cursor = new SectionCursor(bytes, start);
  try {
    // A length is written in as few bytes as it needs; a longer one is the tail of something else.
    const isSection = cursor.next() && cursor.dataAt - start === sectionHeaderBytes(cursor.end - cursor.dataAt);
    return isSection && cursor.end - start > CID_V1_BYTES ? cursor : undefined;
  } catch {
    return undefined;
  }
}

function isGood(bytes: Buffer, { digestAt, dataAt, end }: SectionCursor): boolean {
  return hashesTo(bytes.subarray(dataAt, end), bytes.subarray(digestAt, dataAt));
}
