/**
 * `diff`: what differs between two trees, by their CIDs: what is equal is not looked into.
 * Holds the links of two directories per level.
 */
import type { Change } from './events.ts';
import { joinBytes } from './fs-path.ts';
import { changedCode, changeOf, DELETED, newCode } from './itemize.ts';
import { type BlockId, type ByteString, DIRECTORY, FILE } from './model.ts';
import type { Blocks } from './read/block-source.ts';
import { linksOf, readEntry, type TreeEntry, type TreeLink } from './read/tree.ts';

export interface DiffOptions {
  readonly blocks: Blocks;
  readonly signal: AbortSignal;
}

/** @throws ShardctlError `DAMAGE` or `TOO_FEW_PEERS` when a directory cannot be read */
export async function* diff(a: TreeEntry, b: TreeEntry, options: DiffOptions): AsyncGenerator<Change, void, void> {
  if (!sameId(a, b)) yield* both('', a, b, options);
}

/** Two entries of the same name that are not the same. */
async function* both(path: ByteString, a: TreeEntry, b: TreeEntry, options: DiffOptions): AsyncGenerator<Change, void, void> {
  options.signal.throwIfAborted();
  if (a.kind !== b.kind) {
    // As in rsync, the entry itself is made anew; what was in a directory is gone.
    if (a.kind === DIRECTORY) for (const link of await linksOf(a, options.blocks)) yield* every(path, link, DELETED, options);
    yield* added(path, b, options);
    return;
  }
  const code = codeOf(a, b);
  if (code !== undefined) yield changeOf(code, path, b.kind);
  if (b.kind === DIRECTORY) yield* directories(path, a, b, options);
}

async function* directories(path: ByteString, a: TreeEntry, b: TreeEntry, options: DiffOptions): AsyncGenerator<Change, void, void> {
  const { blocks } = options;
  const before = await linksOf(a, blocks);
  const after = await linksOf(b, blocks);
  for (let i = 0, j = 0; i < before.length || j < after.length; ) {
    const old = before[i];
    const now = after[j];
    if (now === undefined || (old !== undefined && old.name < now.name)) {
      yield* every(path, old as TreeLink, DELETED, options);
      i++;
    } else if (old === undefined || now.name < old.name) {
      yield* every(path, now, undefined, options);
      j++;
    } else {
      if (!sameId(old, now)) yield* both(joinBytes(path, now.name), await readEntry(old, blocks), await readEntry(now, blocks), options);
      i++;
      j++;
    }
  }
}

/** An entry and all below it, gone or new. */
async function* every(
  above: ByteString,
  link: TreeLink,
  code: typeof DELETED | undefined,
  options: DiffOptions,
): AsyncGenerator<Change, void, void> {
  yield* added(joinBytes(above, link.name), await readEntry(link, options.blocks), options, code);
}

async function* added(
  path: ByteString,
  entry: TreeEntry,
  options: DiffOptions,
  code: typeof DELETED | undefined = undefined,
): AsyncGenerator<Change, void, void> {
  options.signal.throwIfAborted();
  yield changeOf(code ?? newCode(entry.kind), path, entry.kind);
  if (entry.kind !== DIRECTORY) return;
  for (const link of await linksOf(entry, options.blocks)) yield* every(path, link, code, options);
}

/** The code of two entries of one kind; undefined when they themselves are the same, and only what is below them differs. */
function codeOf(a: TreeEntry, b: TreeEntry): string | undefined {
  const mtime = a.mtimeNs !== b.mtimeNs;
  const mode = a.mode !== b.mode;
  const size = a.size !== b.size;
  const content = b.kind === DIRECTORY ? false : size || !sameContent(a, b);
  if (!content && !mtime && !mode) return undefined;
  // As in rsync, a file's size or time stand for its content.
  const shown = b.kind === FILE ? content && !size && !mtime : content;
  return changedCode(b.kind, { content: shown, size, mtime, mode }, content);
}

function sameContent(a: TreeEntry, b: TreeEntry): boolean {
  if (b.kind !== FILE) return sameBytes(a.target, b.target);
  const [one, other] = [partsOf(a), partsOf(b)];
  return (
    sameBytes(one.data, other.data) &&
    one.links.length === other.links.length &&
    one.links.every((id, i) => sameId(id, other.links[i] as BlockId))
  );
}

/** What a file consists of: bytes in its own node, and links. A raw block is the one leaf of a file that has a node above it. */
function partsOf({ content, codec, digest }: TreeEntry): { readonly data: Uint8Array | undefined; readonly links: readonly BlockId[] } {
  if ('links' in content) return { data: content.data, links: content.links };
  return { data: undefined, links: content.data.length === 0 ? [] : [{ codec, digest }] };
}

function sameBytes(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return Buffer.compare(a ?? new Uint8Array(0), b ?? new Uint8Array(0)) === 0;
}

function sameId(a: BlockId, b: BlockId): boolean {
  return a.codec === b.codec && Buffer.compare(a.digest, b.digest) === 0;
}
