/**
 * What differs between two trees, found by comparing CIDs: what has the same CID in both is not read.
 * Holds: for each level of the tree, the links of two directories.
 */
import { type BlockId, type ByteString, DIRECTORY } from '../../core/model.ts';
import { joinBytes } from '../../core/path-bytes.ts';
import { sameDigest } from '../../dag/cid.ts';
import type { Blocks } from '../blocks/block-source.ts';
import { ExpansionGuard } from './expansion-guard.ts';
import { linksOf, readEntry, type TreeEntry, type TreeLink } from './tree.ts';

export interface ComparisonOptions {
  readonly blocks: Blocks;
  readonly signal: AbortSignal;
}

/** An entry that has another CID in the newer tree, or is in one of the two alone. Of a directory it may be that only what is below it differs. */
export interface TreeChange {
  readonly path: ByteString;
  readonly old: TreeEntry | undefined;
  readonly now: TreeEntry | undefined;
}

/** A name that is to be looked at: in the older tree, in the newer one, or in both and not the same. */
interface Pair {
  /** What was there, of another kind: nothing is compared with it. */
  readonly instead?: TreeEntry;
  readonly path: ByteString;
  readonly old: BlockId | undefined;
  readonly now: BlockId | undefined;
}

/**
 * The changes from `a` to `b`, a directory before what is in it. Where an entry is of another kind now, what was in it is gone, and
 * what is in it is new.
 * @throws ShardctlError `DAMAGE` or `TOO_FEW_PEERS` when a directory cannot be read; `BoundlessTree`
 */
export async function* treeChanges(a: TreeEntry, b: TreeEntry, options: ComparisonOptions): AsyncGenerator<TreeChange, void, void> {
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
      waiting.push({ path, old: undefined, now, instead: old });
      if (old.kind === DIRECTORY) pushInOrder(waiting, pairs(path, await below(path, old, before), []));
      continue;
    }
    yield { path, old: old ?? pair.instead, now };
    if ((now ?? old)?.kind !== DIRECTORY) continue;
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

export function sameId(a: BlockId, b: BlockId): boolean {
  return a.codec === b.codec && sameDigest(a.digest, b.digest);
}
