/** Which files are indexes and which are packages, by their names: for what may be skipped, never for what is right. */
import type { ByteString } from '../../core/model.ts';

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
