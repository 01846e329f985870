/**
 * Reads a tree from its blocks: entries, and the links of directories (HAMT directories too).
 * Blocks may come from a stranger's snapshot: names that could leave a directory, or come twice in one, are damage.
 */

import { displayPath } from '../../core/display.ts';
import { ShardctlError } from '../../core/errors.ts';
import { type BlockId, type ByteString, DIRECTORY, type EntryKind, FILE, RAW, type Root, SYMLINK } from '../../core/model.ts';
import { joinBytes } from '../../core/path-bytes.ts';
import { cidText } from '../../dag/cid.ts';
import { type DagNode, decodeNode } from '../../dag/node-reader.ts';
import type { Blocks } from '../blocks/block-source.ts';

export interface TreeEntry extends BlockId {
  readonly kind: EntryKind;
  /** Bytes of a file's data or of a symlink's target; 0 for a directory. */
  readonly size: number;
  readonly mode: number | undefined;
  readonly mtimeNs: bigint | undefined;
  /** The target of a symlink, else undefined. */
  readonly target: Uint8Array | undefined;
  readonly content: Content;
}

/** The entry's own block: the data of a raw leaf, or a decoded node. */
type Content = { readonly data: Uint8Array } | DagNode;

/** What the links of a directory are read from. */
export interface DirectoryNode extends BlockId, Pick<TreeEntry, 'kind' | 'content'> {}

/** A link of a directory to an entry; the block of the entry is not read yet. */
export interface TreeLink extends Root {
  readonly name: ByteString;
}

export async function readEntry(id: BlockId, blocks: Blocks): Promise<TreeEntry> {
  const block = await blocks.read(id.digest);
  if (id.codec === RAW)
    return {
      ...idOf(id),
      kind: FILE,
      size: block.length,
      mode: undefined,
      mtimeNs: undefined,
      target: undefined,
      content: { data: block },
    };
  const node = decodeNode(block);
  const common = { ...idOf(id), mode: node.mode, mtimeNs: node.mtimeNs, content: node };
  switch (node.type) {
    case 'file':
    case 'raw':
      return { ...common, kind: FILE, size: node.fileBytes, target: undefined };
    case 'symlink': {
      const target = node.data ?? new Uint8Array(0);
      return { ...common, kind: SYMLINK, size: target.length, target };
    }
    default:
      return { ...common, kind: DIRECTORY, size: 0, target: undefined };
  }
}

/**
 * The entry at `path` below `root`. Symlinks are not followed.
 * @throws ShardctlError `NOT_FOUND`, which names the first part of the path that is not there
 */
export async function resolve(root: BlockId, path: ByteString, blocks: Blocks): Promise<TreeEntry> {
  let entry = await readEntry(root, blocks);
  let walked = '';
  for (const name of path.split('/').filter((part) => part !== '')) {
    const link = entry.kind === DIRECTORY ? (await linksOf(entry, blocks)).find((candidate) => candidate.name === name) : undefined;
    if (link === undefined) throw notFound(entry, walked, name);
    walked = joinBytes(walked, name);
    entry = await readEntry(link, blocks);
  }
  return entry;
}

/**
 * The links of a directory, sorted by the bytes of the names. Holds all of them; the entries to which they lead are not read.
 * @param onLost called with the error of each node of a HAMT directory that cannot be read; the links of the other nodes are returned. Without
 * it, the first such error is thrown
 */
export async function linksOf(directory: DirectoryNode, blocks: Blocks, onLost?: (error: unknown) => void): Promise<readonly TreeLink[]> {
  const links = await namedLinks(directory, blocks, onLost);
  links.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  assertNames(directory, links);
  let before: ByteString | undefined;
  for (const { name } of links) {
    if (name === before) throw damaged(directory, `has two entries named "${displayPath(name)}"`);
    before = name;
  }
  return links;
}

/** @throws ShardctlError `DAMAGE` when a directory has an entry whose name could lead out of it */
export function assertNames(directory: BlockId, links: readonly { readonly name: ByteString }[]): void {
  for (const { name } of links) {
    if (name === '' || name === '.' || name === '..' || name.includes('/') || name.includes('\0'))
      throw damaged(directory, `has an entry named "${displayPath(name)}"`);
  }
}

async function namedLinks(directory: DirectoryNode, blocks: Blocks, onLost: ((error: unknown) => void) | undefined): Promise<TreeLink[]> {
  const node = nodeOf(directory);
  if (node.type === 'directory') return [...node.links];
  // Loaded where there is one: a directory of more than a thousand names.
  const { hamtLinks } = await import('../../dag/hamt-reader.ts');
  return await hamtLinks(directory, node, ({ digest }) => blocks.read(digest), onLost);
}

function nodeOf(directory: DirectoryNode): DagNode {
  if (directory.kind !== DIRECTORY || !('links' in directory.content)) throw damaged(directory, 'is not a directory');
  return directory.content;
}

function idOf({ codec, digest }: BlockId): BlockId {
  return { codec, digest };
}

/** A path names no entry of the tree. The caller adds a hint, which depends on how the user named the tree. */
export class NotInTree extends ShardctlError {}

function notFound(entry: TreeEntry, walked: ByteString, name: ByteString): NotInTree {
  const where = walked === '' ? 'the tree' : `"${displayPath(walked)}"`;
  const why = entry.kind === SYMLINK ? ': it is a symlink, and those are not followed' : entry.kind === FILE ? ': it is a file' : '';
  return new NotInTree('NOT_FOUND', `there is no "${displayPath(name)}" in ${where}${why}`);
}

function damaged(id: BlockId, why: string): ShardctlError {
  return new ShardctlError('DAMAGE', `${cidText(id, 1)} ${why}`);
}
