/**
 * diff — tells what differs between two trees. It compares CIDs: what has the same CID in both is not read.
 * Holds: for each level of the tree, the links of two directories.
 */
import type { Change } from '../core/events.ts';
import { type BlockId, type ByteString, DIRECTORY, FILE } from '../core/model.ts';
import { joinBytes } from '../core/path-bytes.ts';
import type { Blocks } from '../read/blocks/block-source.ts';
import { ExpansionGuard } from '../read/tree/expansion-guard.ts';
import { linksOf, readEntry, type TreeEntry, type TreeLink } from '../read/tree/tree.ts';
import { changedCode, changeOf, DELETED, newCode } from './itemize.ts';

export interface DiffOptions {
  readonly blocks: Blocks;
  readonly signal: AbortSignal;
}

/** A name that is to be looked at: in the older tree, in the newer one, or in both and not the same. */
interface Pair {
  readonly path: ByteString;
  readonly old: BlockId | undefined;
  readonly now: BlockId | undefined;
}

/** @throws ShardctlError `DAMAGE` or `TOO_FEW_PEERS` when a directory cannot be read; `BoundlessTree` */
export async function* diff(a: TreeEntry, b: TreeEntry, options: DiffOptions): AsyncGenerator<Change, void, void> {
  const { blocks, signal } = options;
  const before = new ExpansionGuard(a, options);
  const after = new ExpansionGuard(b, options);
  const below = async (path: ByteString, directory: TreeEntry, guard: ExpansionGuard): Promise<readonly TreeLink[]> => {
    await guard.enter(directory, path);
    return await linksOf(directory, blocks);
  };
  // A list of its own and no recursive generator, whose every step would pass through one generator for each directory above.
  const waiting: Pair[] = sameId(a, b) ? [] : [{ path: '', old: a, now: b }];
  for (let pair = waiting.pop(); pair !== undefined; pair = waiting.pop()) {
    signal.throwIfAborted();
    const { path } = pair;
    const old = pair.old && (await readEntry(pair.old, blocks));
    const now = pair.now && (await readEntry(pair.now, blocks));
    if (old !== undefined && now !== undefined && old.kind !== now.kind) {
      // As in rsync, the entry itself is made anew; what was in a directory is gone.
      waiting.push({ path, old: undefined, now });
      if (old.kind === DIRECTORY) pushInOrder(waiting, pairs(path, await below(path, old, before), []));
      continue;
    }
    const entry = (now ?? old) as TreeEntry;
    const code = now === undefined ? DELETED : old === undefined ? newCode(now.kind) : codeOf(old, now);
    if (code !== undefined) yield changeOf(code, path, entry.kind);
    if (entry.kind !== DIRECTORY) continue;
    pushInOrder(waiting, pairs(path, old ? await below(path, old, before) : [], now ? await below(path, now, after) : []));
  }
}

/** Last in, first out. */
function pushInOrder(waiting: Pair[], pairs: readonly Pair[]): void {
  for (const pair of pairs.toReversed()) waiting.push(pair);
}

/** What differs in two directories, in the order of the names. */
function pairs(path: ByteString, before: readonly TreeLink[], after: readonly TreeLink[]): Pair[] {
  const found: Pair[] = [];
  for (let i = 0, j = 0; i < before.length || j < after.length; ) {
    const first = before[i];
    const second = after[j];
    const isOld = first !== undefined && (second === undefined || first.name <= second.name);
    const isNow = second !== undefined && (first === undefined || second.name <= first.name);
    const [old, now] = [isOld ? first : undefined, isNow ? second : undefined];
    if (isOld) i++;
    if (isNow) j++;
    if (old !== undefined && now !== undefined && sameId(old, now)) continue;
    found.push({ path: joinBytes(path, (old ?? now)?.name ?? ''), old, now });
  }
  return found;
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
