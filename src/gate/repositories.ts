/**
 * Finds the package repositories of a tree. The whole tree is walked when nothing was passed before; else only directories in or below which
 * something has changed are asked for, because a repository in which nothing has changed is as it was passed.
 */
import type { StoredTree } from '../core/gate.ts';
import { type ByteString, DIRECTORY, FILE } from '../core/model.ts';
import { joinBytes, partsOf } from '../core/path-bytes.ts';
import type { GateKind } from '../core/verdict.ts';
import { cidText } from '../dag/cid.ts';
import type { ChangedPaths } from './claims/changed-paths.ts';
import { DISTS, type IndexPlace, isNoDirectory, PACKUMENTS, RELEASES, REPODATA, REPOMD, SIMPLE } from './claims/index-files.ts';

export interface Repository {
  readonly kind: GateKind;
  /** The directory that its indexes are below; of npm, that of one package. */
  readonly path: ByteString;
  /** Of Debian: without `dists`. */
  readonly isFlat?: boolean;
}

/** Directories in one another; a tree without end ends here. */
const DEEPEST = 100;
/** What an archive of Debian packages has: no other repository is looked for in there. */
const OF_ARCHIVE: readonly ByteString[] = [DISTS, 'pool'];
const PACKAGES = /^(?:Packages|Sources)(?:\.\w+)?$/;

/** A directory counts once, where it lies: symlinks to it are not followed, and of copies the first one counts, as what is below is the same. */
export async function* allRepositories(tree: StoredTree, signal: AbortSignal): AsyncGenerator<Repository> {
  yield* walked(tree, '', 0, new Set(), signal);
}

async function* walked(
  tree: StoredTree,
  directory: ByteString,
  depth: number,
  met: Set<string>,
  signal: AbortSignal,
): AsyncGenerator<Repository> {
  signal.throwIfAborted();
  const names = await tree.names(directory);
  const has = new Set(names);
  yield* repositoriesAt(tree, directory, has);
  if (depth === DEEPEST) return;
  const isArchive = has.has(DISTS);
  for (const name of names) {
    if (isNoDirectory(name) || name === REPODATA || name === '-' || (isArchive && OF_ARCHIVE.includes(name))) continue;
    const path = joinBytes(directory, name);
    const entry = await tree.entry(path);
    if (entry?.kind !== DIRECTORY || entry.at !== path) continue;
    const id = cidText(entry.id, 1);
    if (met.has(id)) continue;
    met.add(id);
    if (name !== SIMPLE || !(await isPythonIndex(tree, path))) yield* walked(tree, path, depth + 1, met, signal);
  }
}

export async function* changedRepositories(tree: StoredTree, changed: ChangedPaths, signal: AbortSignal): AsyncGenerator<Repository> {
  /** Changed directories inside of archives. Each directory above a changed one has changed, too, and comes before it. */
  const inArchives = new Set<ByteString>();
  for (const directory of [...changed.directories].sort()) {
    signal.throwIfAborted();
    if (inArchives.has(directory) || inArchives.has(partsOf(directory).above)) {
      inArchives.add(directory);
      continue;
    }
    for await (const repository of repositoriesAt(tree, directory, undefined)) {
      if (repository.kind === 'debian' && repository.isFlat !== true)
        for (const name of OF_ARCHIVE) inArchives.add(joinBytes(directory, name));
      yield repository;
    }
  }
}

/** @param names of what is in the directory, where that is known */
async function* repositoriesAt(tree: StoredTree, path: ByteString, names: ReadonlySet<ByteString> | undefined): AsyncGenerator<Repository> {
  const at = async (name: IndexPlace) =>
    names === undefined || names.has(name.split('/')[0] ?? '') ? await tree.entry(joinBytes(path, name)) : undefined;
  if ((await at(DISTS))?.kind === DIRECTORY) yield { kind: 'debian', path };
  for (const release of RELEASES) {
    if ((await at(release))?.kind !== FILE || /(?:^|\/)dists\//.test(`${path}/`)) continue;
    if (!(await tree.names(path)).some((name) => PACKAGES.test(name) || name === 'InRelease' || name === 'Release.gpg')) continue;
    yield { kind: 'debian', path, isFlat: true };
    break;
  }
  if ((await at(REPODATA))?.kind === DIRECTORY && (await at(REPOMD))?.kind === FILE) yield { kind: 'rpm', path };
  for (const packument of PACKUMENTS) if ((await at(packument))?.kind === FILE) yield { kind: 'npm', path: joinBytes(path, packument) };
  if ((await at(SIMPLE))?.kind === DIRECTORY) yield { kind: 'pypi', path };
}

/** Any tree may have a directory of this name. */
async function isPythonIndex(tree: StoredTree, simple: ByteString): Promise<boolean> {
  for (const name of (await tree.names(simple)).slice(0, 20)) {
    const inside = await tree.names(joinBytes(simple, name));
    if (inside.some((page) => /^index\.(?:v1_)?(?:html|json)$/.test(page))) return true;
  }
  return false;
}
