/** Where an archive has its suites: directories below `dists/` with a `Release` or an `InRelease`. */
import type { JudgedEntry, StoredTree } from '../../core/gate.ts';
import { type ByteString, DIRECTORY } from '../../core/model.ts';
import { joinBytes } from '../../core/path-bytes.ts';
import { cidText } from '../../dag/cid.ts';
import { DISTS, RELEASES } from '../claims/index-files.ts';

export interface Suite {
  readonly path: ByteString;
  readonly directory: JudgedEntry;
  /** False for a directory that has indexes and says nothing of them. */
  readonly hasRelease: boolean;
}

/** `dists/stable/updates` is the deepest that archives have. */
const DEEPEST = 3;

/** Each suite once, also when symlinks lead to it. @param archive the directory that `dists` is in */
export async function* suitesOf(tree: StoredTree, archive: ByteString): AsyncGenerator<Suite> {
  yield* below(tree, joinBytes(archive, DISTS), DEEPEST, new Set());
}

async function* below(tree: StoredTree, directory: ByteString, levels: number, met: Set<string>): AsyncGenerator<Suite> {
  for (const { path, entry } of await directoriesIn(tree, directory)) {
    const id = cidText(entry.id, 1);
    if (met.has(id)) continue;
    met.add(id);
    const names = await tree.names(path);
    if (RELEASES.some((release) => names.includes(release))) yield { path, directory: entry, hasRelease: true };
    else if (await hasIndexes(tree, path, names)) yield { path, directory: entry, hasRelease: false };
    else if (levels > 1) yield* below(tree, path, levels - 1, met);
  }
}

/** Those that lie there before those that symlinks lead to: a suite is told of by its own name, which stays when `stable` leads elsewhere. */
async function directoriesIn(tree: StoredTree, directory: ByteString): Promise<readonly { path: ByteString; entry: JudgedEntry }[]> {
  const own: { path: ByteString; entry: JudgedEntry }[] = [];
  const others: typeof own = [];
  for (const name of await tree.names(directory)) {
    if (name.startsWith('.')) continue;
    const path = joinBytes(directory, name);
    const entry = await tree.entry(path);
    if (entry?.kind === DIRECTORY) (entry.at === path ? own : others).push({ path, entry });
  }
  return [...own, ...others];
}

/** Whether a component of it has a directory for an architecture or for sources. */
async function hasIndexes(tree: StoredTree, suite: ByteString, names: readonly ByteString[]): Promise<boolean> {
  for (const component of names) {
    const inside = await tree.names(joinBytes(suite, component));
    if (inside.some((name) => name === 'source' || name.startsWith('binary-'))) return true;
  }
  return false;
}
