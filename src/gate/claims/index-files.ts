/**
 * Where indexes lie, and which files are indexes and which are packages, by their names: for what may be skipped, never for what is right.
 * Known without the judges, each of which is loaded when there is an index of its kind.
 */
import type { ByteString } from '../../core/model.ts';
import { joinBytes, partsOf } from '../../core/path-bytes.ts';

/** Of Debian, below the directory of the archive. */
export const DISTS = 'dists';
/** Of Debian, below the directory of the archive: where each finished run of a mirror leaves a file. */
export const TRACES = 'project/trace';
/** Of Debian, in a suite, and in a flat archive beside `Packages`. */
export const RELEASES = ['InRelease', 'Release'] as const;
/** Of RPM, below the directory of the repository. */
export const REPODATA = 'repodata';
export const REPOMD = `${REPODATA}/repomd.xml`;
/** Of npm, in the directory of a package. */
export const PACKUMENTS = ['index.json', 'package.json'] as const;
/** Of Python, below the directory of the index; in it a directory for each project, with some of the pages. */
export const SIMPLE = 'simple';
export const PAGES = ['index.html', 'index.v1_html', 'index.json', 'index.v1_json'] as const;

/** A directory has one of these entries, or else no repository begins in it. */
const NAMES = [DISTS, ...RELEASES, REPODATA, ...PACKUMENTS, SIMPLE] as const;
export const INDEX_NAMES: ReadonlySet<ByteString> = new Set(NAMES);
/** Where a repository is looked for, from its directory on. */
export type IndexPlace = (typeof NAMES)[number] | typeof REPOMD;

const PACKAGE = /\.(?:u?deb|ddeb|dsc|d?rpm|tgz|whl|egg|orig\.tar\.\w+|debian\.tar\.\w+|diff\.gz|tar\.(?:gz|xz|bz2)|zip)$/;
const INDEX_DIRECTORY = /(?:^|\/)(?:dists|repodata|simple|project)\//;
const INDEX = /(?:^|\/)(?:index\.json|package\.json|(?:In)?Release(?:\.gpg)?|(?:Packages|Sources)(?:\.\w+)?|ls-lR(?:\.gz)?)$/;

/** What an index of packages may name. */
export function isPackage(path: ByteString): boolean {
  return PACKAGE.test(path);
}

/** Named by other indexes at most, which are compared in each run. */
export function isIndex(path: ByteString): boolean {
  return !isPackage(path) && (INDEX_DIRECTORY.test(path) || INDEX.test(path));
}

/** Names that no directory has, so that a walk need not ask; packages of npm are directories, and may be called `chart.js`. */
export function isNoDirectory(name: ByteString): boolean {
  return /\.(?:u?deb|ddeb|dsc|d?rpm|tgz|whl|metadata|gz|xz|bz2|asc|sig|gpg|iso)$/.test(name);
}

/**
 * The projects that a changed path may belong to: that of a page; of a file, those that its name begins with (PEP 427, PEP 625), since
 * which hyphen ends the project's name stands nowhere. Names are as PEP 503 has them.
 */
export function projectsOf(index: ByteString, path: ByteString): readonly ByteString[] {
  const simple = `${joinBytes(index, SIMPLE)}/`;
  if (path.startsWith(simple)) return [path.slice(simple.length).split('/')[0] ?? ''];
  const parts = partsOf(path).name.split('-');
  return parts.slice(0, 8).map((_, end) =>
    parts
      .slice(0, end + 1)
      .join('-')
      .toLowerCase()
      .replace(/[-_.]+/g, '-'),
  );
}
