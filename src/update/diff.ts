/** diff — tells what differs between two trees, in rsync's codes. */
import type { Change } from '../core/events.ts';
import { type BlockId, DIRECTORY, FILE } from '../core/model.ts';
import type { TreeEntry } from '../read/tree/tree.ts';
import { type ComparisonOptions, sameId, treeChanges } from '../read/tree/tree-changes.ts';
import { changedCode, changeOf, DELETED, newCode } from './itemize.ts';

/** @throws ShardctlError `DAMAGE` or `TOO_FEW_PEERS` when a directory cannot be read; `BoundlessTree` */
export async function* diff(a: TreeEntry, b: TreeEntry, options: ComparisonOptions): AsyncGenerator<Change, void, void> {
  for await (const { path, old, now } of treeChanges(a, b, options)) {
    const entry = (now ?? old) as TreeEntry;
    // As in rsync, an entry that is of another kind now is made anew.
    const code = now === undefined ? DELETED : old?.kind === now.kind ? codeOf(old, now) : newCode(now.kind);
    if (code !== undefined) yield changeOf(code, path, entry.kind);
  }
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
