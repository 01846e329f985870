/**
 * Whether something new would come into a directory of OUT that is mounted from elsewhere, found out before anything is downloaded: by names that
 * OUT has not there, and by files that an earlier run has put there and that are others now. What only a hash can tell is refused later.
 */
import { ShardctlError } from '../../core/errors.ts';
import { type ByteString, DAG_PB, DIRECTORY } from '../../core/model.ts';
import { joinBytes } from '../../core/path-bytes.ts';
import type { Blocks } from '../../read/blocks/block-source.ts';
import { linksOf, readEntry, resolve, type TreeEntry } from '../../read/tree/tree.ts';
import type { KnownEntries } from '../known/known-entries.ts';
import { OutMounts } from '../out/mounts.ts';
import type { OutLooks } from '../out/out-looks.ts';
import { isElsewhere } from './moves.ts';

export interface MountsAheadOptions {
  /** Its real path. */
  readonly out: ByteString;
  readonly known: KnownEntries;
  readonly looks: OutLooks;
  readonly excludes: ((path: ByteString, isDirectory: boolean) => boolean) | undefined;
  readonly blocks: Blocks;
}

/** @param top of the tree @throws ShardctlError `NOT_WRITTEN`; what reading directories throws */
export async function refuseMounted(top: TreeEntry, options: MountsAheadOptions, mounts = new OutMounts(options.out)): Promise<void> {
  const { known, blocks } = options;
  for (const point of mounts.points) {
    const parts = point.split('/');
    if (parts.some((_, at) => isLeftOut(parts.slice(0, at + 1).join('/'), options))) continue;
    const entry = await resolve(top, point, blocks).catch((error: unknown) => {
      if (error instanceof ShardctlError && error.code === 'NOT_FOUND') return undefined;
      throw error;
    });
    const row = known.get(point);
    if (entry?.kind !== DIRECTORY || (row !== undefined && known.columns.hasRoot(row, entry))) continue;
    if (await lacks(point, entry, options)) throw isElsewhere(point);
  }
}

async function lacks(top: ByteString, entry: TreeEntry, options: MountsAheadOptions): Promise<boolean> {
  const { known, looks, blocks } = options;
  const left = [{ path: top, entry }];
  for (let at = left.pop(); at !== undefined; at = left.pop()) {
    const links = await linksOf(at.entry, blocks, (error) => {
      throw error;
    });
    for (const link of links) {
      const path = joinBytes(at.path, link.name);
      if (isLeftOut(path, options)) continue;
      const look = looks.at(path);
      if (look === undefined) return true;
      const row = known.get(path);
      const isSame = row !== undefined && known.columns.hasRoot(row, link);
      if (row !== undefined && !isSame && known.columns.kindAt(row) !== DIRECTORY && known.columns.isAs(row, look)) return true;
      if (isSame || link.codec !== DAG_PB || (look.mode & KIND_BITS) !== DIRECTORY_BITS) continue;
      const below = await readEntry(link, blocks);
      if (below.kind === DIRECTORY) left.push({ path, entry: below });
    }
  }
  return false;
}

const KIND_BITS = 0o170000;
const DIRECTORY_BITS = 0o040000;

/** Or may be: what an entry is need not be known yet. */
function isLeftOut(path: ByteString, { excludes }: MountsAheadOptions): boolean {
  return excludes !== undefined && (excludes(path, true) || excludes(path, false));
}
