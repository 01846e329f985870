/**
 * HAMT directories: a trie over murmur3-x64-64 of the names, 256 ways, one byte of the hash a level. A slot holds an entry
 * (link name: two hex digits and the entry's name) or a node for the entries that share it (two hex digits alone).
 * Only the root carries the directory's metadata.
 */
import { murmur3128 } from '@multiformats/murmur3';
import { CID_COLUMN_BYTES } from '../directory.ts';
import { ShardctlError } from '../errors.ts';
import { type ByteString, type Codec, DAG_PB, type Root } from '../model.ts';
import type { CidVersion } from './cid.ts';
import type { DirectoryLinks } from './directory.ts';
import { linkBytes, NodeWriter } from './node-writer.ts';
import { fieldLength, varintLength, writeFieldHeader, writeVarintField } from './pb.ts';
import { DATA, type EncodedMetadata, FANOUT, HASH_TYPE, measureMetadata, TYPE, TYPE_BYTES, UNIXFS_HAMT, writeMetadata } from './unixfs.ts';

const WIDTH = 256;
const HASH_BYTES = 8;
const MURMUR3_X64_64 = 0x22;
/** Digits before a name in a slot's link. */
export const SLOT_PREFIX_LENGTH = 2;
const HEX = Array.from({ length: WIDTH }, (_, slot) => slot.toString(16).toUpperCase().padStart(SLOT_PREFIX_LENGTH, '0'));
const NO_METADATA = measureMetadata(undefined);

interface Builder {
  readonly links: DirectoryLinks;
  /** 8 bytes an entry. */
  readonly hashes: Uint8Array;
  readonly version: CidVersion;
  readonly emit: (block: Buffer) => Uint8Array;
}

/** A link of a node that is being built. */
interface SlotLink extends Root {
  readonly name: ByteString;
}

export function buildHamt(links: DirectoryLinks, metadata: EncodedMetadata, version: CidVersion, emit: (block: Buffer) => Uint8Array): Root {
  const hashes = new Uint8Array(links.count * HASH_BYTES);
  for (let i = 0; i < links.count; i++) hashes.set(hashName(links.names[i] as ByteString), i * HASH_BYTES);
  const entries = Uint32Array.from({ length: links.count }, (_, i) => i);
  return buildNode({ links, hashes, version, emit }, entries, 0, metadata);
}

function hashName(name: ByteString): Uint8Array {
  // go-unixfs keeps the first 64 of the 128 bits.
  return (murmur3128.encode(Buffer.from(name, 'latin1')) as Uint8Array).subarray(0, HASH_BYTES);
}

/** Builds the node of these entries, which share the first `depth` bytes of their hashes. */
function buildNode(builder: Builder, entries: Uint32Array, depth: number, metadata: EncodedMetadata): Root {
  const { links } = builder;
  if (depth === HASH_BYTES) {
    const names = [...entries].map((i) => JSON.stringify(links.names[i])).join(', ');
    throw new ShardctlError('USAGE', `these names of one directory have the same 64-bit hash, and UnixFS cannot hold both: ${names}`, {
      hint: 'rename or exclude one of them',
    });
  }
  const filled: SlotLink[] = [];
  const bitfield = Buffer.alloc(WIDTH / 8);
  for (const [slot, inSlot] of distribute(builder.hashes, entries, depth).entries()) {
    if (inSlot === undefined) continue;
    const prefix = HEX[slot] as string;
    bitfield[bitfield.length - 1 - (slot >>> 3)]! |= 1 << (slot & 7);
    if (inSlot.length > 1) filled.push({ name: prefix, ...buildNode(builder, inSlot, depth + 1, NO_METADATA) });
    else filled.push(entryLink(links, inSlot[0] as number, prefix));
  }
  // A big-endian number with slot 0 as its lowest bit, and no leading zero bytes.
  return encodeNode(builder, filled, bitfield.subarray(bitfield.findIndex((byte) => byte !== 0)), metadata);
}

function entryLink({ names, cids, dagSizes }: DirectoryLinks, entry: number, prefix: string): SlotLink {
  const cid = entry * CID_COLUMN_BYTES;
  const digest = cids.subarray(cid + 1, cid + CID_COLUMN_BYTES);
  return { name: prefix + (names[entry] as ByteString), codec: cids[cid] as Codec, digest, dagSize: dagSizes[entry] as number };
}

/** The entries of each slot, in the order of their names. */
function distribute(hashes: Uint8Array, entries: Uint32Array, depth: number): (Uint32Array | undefined)[] {
  const counts = new Uint32Array(WIDTH);
  for (const entry of entries) counts[hashes[entry * HASH_BYTES + depth] as number]!++;
  const slots = Array.from(counts, (count) => (count > 0 ? new Uint32Array(count) : undefined));
  counts.fill(0);
  for (const entry of entries) {
    const slot = hashes[entry * HASH_BYTES + depth] as number;
    (slots[slot] as Uint32Array)[counts[slot]!++] = entry;
  }
  return slots;
}

function encodeNode({ version, emit }: Builder, filled: readonly SlotLink[], bitfield: Buffer, metadata: EncodedMetadata): Root {
  let linksBytes = 0;
  for (const { codec, name, dagSize } of filled) linksBytes += linkBytes(codec, name.length, dagSize, version);
  const fixed = TYPE_BYTES + 1 + varintLength(MURMUR3_X64_64) + 1 + varintLength(WIDTH);
  const dataLength = fixed + fieldLength(bitfield.length) + metadata.length;
  const node = new NodeWriter(linksBytes, dataLength, version);
  let dagSize = node.block.length;
  for (const link of filled) {
    node.link(link.codec, link.digest, 0, link.name, link.dagSize);
    dagSize += link.dagSize;
  }
  let at = writeVarintField(node.block, node.data(dataLength), TYPE, UNIXFS_HAMT);
  at = writeFieldHeader(node.block, at, DATA, bitfield.length);
  at += bitfield.copy(node.block, at);
  at = writeVarintField(node.block, at, HASH_TYPE, MURMUR3_X64_64);
  at = writeVarintField(node.block, at, FANOUT, WIDTH);
  writeMetadata(node.block, at, metadata);
  return { codec: DAG_PB, digest: emit(node.block), dagSize };
}
