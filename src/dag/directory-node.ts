/**
 * Directory nodes from columns: one plain node, or a HAMT directory when that would be too large. The project's own
 * encoder: names are bytes here (a JS string in UTF-8 would change the CID of an old mirror), and it takes a tenth of the
 * time of @ipld/dag-pb with ipfs-unixfs.
 */
import { type ByteString, type CidProfile, type Codec, DAG_PB, type Metadata, type Root } from '../core/model.ts';
import { CID_COLUMN_BYTES } from '../walk/directory.ts';
import { type CidVersion, cidLength } from './cid.ts';
import type { DirectoryLinks } from './directory-links.ts';
import { buildHamt, type HamtBefore } from './hamt-writer.ts';
import { linkBytes, NodeWriter } from './node-writer.ts';
import { fieldLength, writeVarintField } from './protobuf-writer.ts';
import { measureMetadata, TYPE, TYPE_BYTES, UNIXFS_DIRECTORY, writeMetadata } from './unixfs-writer.ts';

/**
 * @param metadata mode and mtime of the directory, if they go into the DAG
 * @param emit takes each node, children before parents, and returns its digest
 * @param before of a HAMT directory, if it is known
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
    const cid = i * CID_COLUMN_BYTES;
    node.link(links.cids[cid] as Codec, links.cids, cid + 1, links.names[i] as ByteString, links.dagSizes[i] as number);
    dagSize += links.dagSizes[i] as number;
  }
  const at = writeVarintField(node.block, node.data(dataLength), TYPE, UNIXFS_DIRECTORY);
  writeMetadata(node.block, at, measured);
  return { codec: DAG_PB, digest: emit(node.block), dagSize };
}

function sumOfLinks({ count, names, cids, dagSizes }: DirectoryLinks, version: CidVersion): number {
  let bytes = 0;
  for (let i = 0; i < count; i++) {
    bytes += linkBytes(cids[i * CID_COLUMN_BYTES] as Codec, (names[i] as ByteString).length, dagSizes[i] as number, version);
  }
  return bytes;
}

/** What Kubo's `links` estimate counts. */
function sumOfNamesAndCids({ count, names, cids }: DirectoryLinks, version: CidVersion): number {
  let bytes = 0;
  for (let i = 0; i < count; i++) bytes += (names[i] as ByteString).length + cidLength(cids[i * CID_COLUMN_BYTES] as Codec, version);
  return bytes;
}
