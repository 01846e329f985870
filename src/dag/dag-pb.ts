/**
 * Nodes by @ipld/dag-pb, of which this is the only importer: a snapshot's directories, the inner nodes of large files, and
 * strangers' nodes whose names do not matter or are ASCII. Our own writer and reader (`node-writer.ts`, `node-reader.ts`)
 * remain where the library cannot be used:
 * - The names of a mirror's entries are bytes; the library reads and writes names as UTF-8.
 * - A node is made for every small file and directory of an add, and read for every directory of a walk; a shard's manifest has
 *   one link for every block. The library takes 0.9 µs a link to encode and 1.5 µs to decode where ours take 0.14 and 0.39
 *   (1,024 links without names). With manifests by the library, an add of 20,000 small files took 5 % more processor time, and
 *   reading a manifest of 100,000 blocks 3.9 µs a block instead of 0.6 to 1.6.
 *
 * The UnixFS message inside a node is always our own: that of ipfs-unixfs 13.1 writes zeros for sizes from 2^31 to 2^32 − 1,
 * leaves out mode 0644, and writes a fraction of 0 ns, which boxo reads as "no mtime".
 */
import * as dagPb from '@ipld/dag-pb';
import type { ByteString, Metadata, Root } from '../core/model.ts';
import { type CidVersion, cidObject } from './cid.ts';
import { encodeFileData, type FileChild } from './file-node.ts';
import { anyCidOf } from './foreign-cid.ts';
import { type DagNode, type Link, linkedBlock } from './node-reader.ts';
import { damaged } from './protobuf-reader.ts';
import { decodeUnixFs } from './unixfs-reader.ts';
import { encodeDirectoryData } from './unixfs-writer.ts';

/** An entry of a directory whose names are text. */
export type NamedLink = readonly [name: string, target: Root];

/** Encodes an inner node of a file: links without names, in the order of the file. */
export function encodeInnerNode(children: readonly FileChild[], metadata: Metadata | undefined, version: CidVersion): Buffer {
  const Links = children.map((child) => ({ Name: '', Tsize: child.dagSize, Hash: cidObject(child, version) }));
  const sizes = children.map(({ fileBytes }) => fileBytes);
  return asBuffer(dagPb.encode({ Links, Data: encodeFileData(sizes, metadata) }));
}

/** Encodes a plain directory without metadata. Its links are sorted by name here. */
export function encodeNamedLinks(links: readonly NamedLink[], version: CidVersion): Buffer {
  const Links = links.map(([Name, target]) => ({ Name, Tsize: target.dagSize, Hash: cidObject(target, version) }));
  return asBuffer(dagPb.encode(dagPb.prepare({ Links, Data: encodeDirectoryData() })));
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

/**
 * As `decodeNode`, with names as UTF-8 decoding leaves them: for nodes of which nobody asks for names that are not UTF-8.
 * @param bytes a dag-pb block; what is returned has views into it
 * @throws ShardctlError `DAMAGE` when it is not a well-formed UnixFS node, or links to a block that no tree has here
 */
export function decodeNamedNode(bytes: Uint8Array): DagNode {
  const { Data, Links } = decoded(bytes);
  if (Data === undefined) throw damaged('no UnixFS data');
  return { ...decodeUnixFs(Data), links: Links.map(linkOf) };
}

function decoded(bytes: Uint8Array): dagPb.PBNode {
  try {
    return dagPb.decode(bytes);
  } catch (error) {
    throw damaged(error instanceof Error ? `an error: ${error.message}` : 'an error');
  }
}

function linkOf({ Hash, Name = '', Tsize = 0 }: dagPb.PBLink): Link {
  if (!Number.isSafeInteger(Tsize)) throw damaged('a number that is too large');
  return { ...linkedBlock(anyCidOf(Hash)), name: byteStringOf(Name), dagSize: Tsize };
}

function byteStringOf(name: string): ByteString {
  return name === '' ? name : Buffer.from(name, 'utf8').toString('latin1');
}
