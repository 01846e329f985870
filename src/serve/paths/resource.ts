/**
 * What a path of a tree leads to, as plain data: it depends on the root of the tree, the path, the index that is preferred and nothing
 * else, so that it may be kept under these three for ever.
 */
import { type BlockId, type ByteString, DIRECTORY, FILE } from '../../core/model.ts';
import { joinBytes } from '../../core/path-bytes.ts';
import { cidText } from '../../dag/cid.ts';
import type { StoredBlocks } from '../../read/stored/stored-blocks.ts';
import { NotInTree } from '../../read/tree/tree.ts';
import type { FoundEntry, TreePaths } from '../../read/tree/tree-paths.ts';
import type { Validators } from './conditions.ts';
import { contentTypeOf, isDocument, OCTETS, SANDBOX } from './content-type.ts';

export interface FileResource {
  readonly kind: 'file';
  readonly file: FoundEntry;
  /** Bytes. */
  readonly size: number;
  readonly validators: Validators;
  /** The headers that each answer with this file has, whatever the request says. */
  readonly headers: Readonly<Record<string, string>>;
}

export interface DirectoryResource {
  readonly kind: 'directory';
  readonly directory: FoundEntry;
  /** Its `index.html` or `index.json`, as it answers for the directory. */
  readonly index: FileResource | undefined;
}

export type Resource = FileResource | DirectoryResource;

/** Which file answers for a directory that has several: what `Accept` asks for by name. */
export type Preference = 'html' | 'json' | 'pypi-json' | 'pypi-html';

/** Names of an index, the first that is there answers; and its type, where that is not the one of its name. */
const INDEXES: Readonly<Record<Preference, readonly (readonly [name: string, type?: string])[]>> = {
  html: [['index.html'], ['index.json']],
  json: [['index.json'], ['index.html']],
  // PEP 691: pip takes JSON only under this type. bandersnatch names the file so that it cannot be mistaken; others do not.
  'pypi-json': [['index.v1_json'], ['index.html'], ['index.json', 'application/vnd.pypi.simple.v1+json']],
  'pypi-html': [['index.v1_html'], ['index.html'], ['index.json']],
};

export function preferenceOf(accept: string | undefined): Preference {
  if (accept === undefined || accept === '*/*') return 'html';
  if (accept.includes('application/vnd.pypi.simple.v1+json') || accept.includes('application/vnd.pypi.simple.latest+json'))
    return 'pypi-json';
  if (accept.includes('application/vnd.pypi.simple.')) return 'pypi-html';
  return /application\/(?:[\w.-]+\+)?json/.test(accept) && !accept.includes('text/html') ? 'json' : 'html';
}

export interface TreeToRead {
  readonly root: BlockId;
  readonly blocks: Pick<StoredBlocks, 'read' | 'sizeOf'>;
  readonly paths: TreePaths;
  /** When the snapshot was committed, in seconds since 1970. An mtime that is later is not told: HTTP has no times in the future. */
  readonly committed: number;
}

/** @throws NotInTree, which says why; ShardctlError `DAMAGE` or `TOO_FEW_PEERS` */
export async function resourceAt(tree: TreeToRead, path: ByteString, prefer: Preference): Promise<Resource> {
  const entry = await tree.paths.find(tree.root, path, tree.blocks);
  if (entry.kind === FILE) return await fileResource(tree, entry, contentTypeOf(path));
  if (entry.kind !== DIRECTORY) throw new NotInTree('NOT_FOUND', 'the tree is a symlink');
  return { kind: 'directory', directory: entry, index: await indexOf(tree, entry, prefer) };
}

async function indexOf(tree: TreeToRead, { path }: FoundEntry, prefer: Preference): Promise<FileResource | undefined> {
  for (const [name, type] of INDEXES[prefer]) {
    try {
      const entry = await tree.paths.find(tree.root, joinBytes(path, name), tree.blocks);
      if (entry.kind === FILE) return await fileResource(tree, entry, type ?? contentTypeOf(name), true);
    } catch (error) {
      if (!(error instanceof NotInTree)) throw error;
    }
  }
  return undefined;
}

async function fileResource(tree: TreeToRead, file: FoundEntry, type: string, isIndex = false): Promise<FileResource> {
  const size = file.node?.fileBytes ?? (await tree.blocks.sizeOf(file.digest)) ?? 0;
  const etag = etagOf(file);
  const modified = modifiedOf(file.node?.mtimeNs, tree.committed);
  return { kind: 'file', file, size, validators: { etag, modified }, headers: fileHeaders(etag, modified, type, isIndex) };
}

/** @param isIndex the file was chosen by what the request accepts */
export function fileHeaders(etag: string, modified: number | undefined, type = OCTETS, isIndex = false): Record<string, string> {
  const headers: Record<string, string> = {
    'content-type': type,
    etag,
    'accept-ranges': 'bytes',
    'x-content-type-options': 'nosniff',
  };
  if (modified !== undefined) headers['last-modified'] = new Date(modified * 1000).toUTCString();
  if (isDocument(type)) headers['content-security-policy'] = SANDBOX;
  if (isIndex) headers.vary = 'Accept';
  return headers;
}

export function etagOf(entry: BlockId): string {
  return `"${cidText(entry, 1)}"`;
}

/** Seconds since 1970, rounded down as HTTP's dates are. */
export function modifiedOf(mtimeNs: bigint | undefined, latest: number): number | undefined {
  if (mtimeNs === undefined || mtimeNs < 0n) return undefined;
  const seconds = mtimeNs / 1_000_000_000n;
  return seconds > BigInt(Math.floor(latest)) ? undefined : Number(seconds);
}
