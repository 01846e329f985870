/**
 * Makes a directory's nodes from columns: one plain node, or a HAMT directory where that would be too large. Our own encoder,
 * because names are bytes (as UTF-8 strings they would change the CIDs of an old mirror), and because it takes a tenth of the
 * time of @ipld/dag-pb with ipfs-unixfs.
 */
import { type CidProfile, DAG_PB, type Metadata, type Root } from '../core/model.ts';
import { CID_COLUMN_BYTES } from '../walk/directory.ts';
import { type CidVersion, cidLength } from './cid.ts';
import { codecAt, type DirectoryLinks, dagSizeAt, nameAt } from './directory-links.ts';
import { buildHamt, type HamtBefore } from './hamt-writer.ts';
import { linkBytes, NodeWriter } from './node-writer.ts';
import { fieldLength, writeVarintField } from './protobuf-writer.ts';
import { measureMetadata, TYPE, TYPE_BYTES, UNIXFS_DIRECTORY, writeMetadata } from './unixfs-writer.ts';

/**
 * @param metadata mode and mtime of the directory, if they go into the DAG
 * @param emit takes each node, children before parents, and returns its digest
 * @param before the parent's directory, if it was a HAMT directory and is known
 */
export function buildDirectory(
  links: DirectoryLinks,
  metadata: Metadata | undefined,
  profile: CidProfile,
  emit: (block: Buffer) => Uint8Array,
  before?: HamtBefore,
): Root {
  const { cidVersion } = profile;
  const measured = measureMetadata(metadata);
  const linksBytes = sumOfLinks(links, cidVersion);
  const dataLength = TYPE_BYTES + measured.length;
  const blockBytes = linksBytes + fieldLength(dataLength);
  // IPIP-499: a directory of exactly the threshold is still plain (Kubo before 0.40 had >=).
  const estimate = profile.hamtEstimate === 'block' ? blockBytes : sumOfNamesAndCids(links, cidVersion);
  if (estimate > profile.hamtThreshold) return buildHamt(links, measured, cidVersion, emit, before);

  const node = new NodeWriter(linksBytes, dataLength, cidVersion);
  let dagSize = blockBytes;
  for (let i = 0; i < links.count; i++) {
    const size = dagSizeAt(links, i);
    node.link(codecAt(links, i), links.cids, i * CID_COLUMN_BYTES + 1, nameAt(links, i), size);
    dagSize += size;
  }
  const at = writeVarintField(node.block, node.data(dataLength), TYPE, UNIXFS_DIRECTORY);
  writeMetadata(node.block, at, measured);
  return { codec: DAG_PB, digest: emit(node.block), dagSize };
}

function sumOfLinks(links: DirectoryLinks, version: CidVersion): number {
  let bytes = 0;
  for (let i = 0; i < links.count; i++) bytes += linkBytes(codecAt(links, i), nameAt(links, i).length, dagSizeAt(links, i), version);
  return bytes;
}

/** What Kubo's `links` estimate counts. */
function sumOfNamesAndCids(links: DirectoryLinks, version: CidVersion): number {
  let bytes = 0;
  for (let i = 0; i < links.count; i++) bytes += nameAt(links, i).length + cidLength(codecAt(links, i), version);
  return bytes;
}
