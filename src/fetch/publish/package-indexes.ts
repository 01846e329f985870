/**
 * Which files of a mirror name others: the indexes of package repositories. They are renamed into place after what they name, and those that
 * name other indexes last of all. Known by their names, as package tools know them.
 */
import type { ByteString } from '../../core/model.ts';

/** Lower ranks come first. */
export const PLAIN = 0;
/** Names packages. */
export const INDEX = 1;
/** Names indexes, most by their hashes. */
export const ROOT_INDEX = 2;
/** What a package tool reads first, where that names root indexes. */
export const TOP_INDEX = 3;

interface Layout {
  /** Directories in which everything that is no package is index. */
  readonly directories?: readonly string[];
  /** Names of files, as parts of a regular expression; with a slash, the ends of paths. */
  readonly index?: readonly string[];
  readonly root?: readonly string[];
  readonly top?: readonly string[];
}

/** Of each kind of repository. What is compressed or signed is not listed: it is what it is without. */
const LAYOUTS: Readonly<Record<string, Layout>> = {
  debian: { directories: ['dists'], index: ['Packages', 'Sources'], root: ['Release'], top: ['InRelease'] },
  rpm: { directories: ['repodata'], root: ['repomd\\.xml', 'repomd\\.xml\\.key'] },
  urpmi: { directories: ['media_info'] },
  aptRpm: { directories: ['.cache'], index: ['(?:pkg|src)list\\..+', 'contents_index'], root: ['base/release(?:\\..+)?'] },
  arch: { index: ['.+\\.(?:db|files)(?:\\.tar)?'] },
  alpine: { index: ['APKINDEX\\.tar', '[Pp]ackages\\.adb'] },
  opkg: { index: ['Packages\\.(?:manifest|stamps)'] },
  void: { index: ['.+-(?:repodata|stagedata)'] },
  freebsd: { index: ['(?:packagesite|filesite|data|digests)\\.(?:pkg|txz|tzst)'], root: ['meta\\.(?:conf|txz|tzst|pkg)'] },
  slackware: { index: ['PACKAGES\\.TXT', 'FILELIST\\.TXT', 'MANIFEST', 'CHECKSUMS'] },
  nix: { index: ['.+\\.narinfo'] },
  flatpak: { directories: ['refs'], index: ['summary', 'summary\\.idx'] },
  git: { index: ['info/(?:refs|packs)', 'packed-refs'] },
  pypi: { directories: ['simple'], index: ['index\\.html', 'index\\.v1_json', 'index\\.v1_html', 'list'] },
  npm: { index: ['index\\.json', 'package\\.json'] },
  composer: { index: ['p2?/(?:[^/]+/)?[^/]+\\.json'], root: ['packages\\.json'] },
  go: { index: ['@v/list', '@latest'] },
  cargo: { directories: ['index', 'crates.io-index'], index: ['config\\.json'] },
  rubygems: { directories: ['quick', 'info'], root: ['(?:latest_|prerelease_)?specs\\.4\\.8', 'versions', 'names'] },
  maven: {
    directories: ['.index'],
    index: ['maven-metadata(?:-.+)?\\.xml', 'archetype-catalog\\.xml', '(?:composite)?(?:[Cc]ontent|[Aa]rtifacts)\\.(?:jar|xml)'],
    root: ['p2\\.index'],
  },
  conda: {
    index: ['(?:current_)?repodata(?:_.+)?\\.(?:json|jlap|msgpack)', 'patch_instructions\\.json', 'run_exports\\.json'],
    root: ['channeldata\\.json'],
  },
  helm: { index: ['index\\.yaml'] },
  cran: { index: ['PACKAGES(?:\\.(?:rds|json))?', 'VIEWS'], root: ['Meta/(?:archive|current)\\.rds'] },
  cpan: { index: ['0\\d(?:packages\\.details\\.txt|modules\\.index\\.html|modlist\\.data|mailrc\\.txt)'] },
  hackage: { index: ['0[01]-index\\.tar'], root: ['snapshot\\.json'], top: ['timestamp\\.json'] },
  emacs: { index: ['archive-contents'] },
  texlive: { index: ['texlive\\.tlpdb(?:\\.main)?'] },
  lua: { index: ['manifest(?:-5\\.\\d)?(?:\\.json|\\.zip)?'] },
  opam: { index: ['index\\.tar', 'urls\\.txt'] },
  jenkins: { index: ['update-center(?:\\.actual)?\\.json'] },
  any: { index: ['(?:SHA(?:1|224|256|384|512)|MD5|B2)SUMS?', 'ls-lR'] },
};

/** Ends of what is compressed or signed, or the hash of another one. */
const AROUND = /(?:\.(?:gz|xz|bz2|zst|lz4|rz|sha1|sha256|sha512|md5|asc|sig|sign|gpg))+$/;
/** A package is none, wherever it lies: `pool/main/i/index/` has packages, and so has many a `simple/`. */
const PACKAGE = /\.(?:u?deb|ddeb|dsc|d?rpm|whl|egg|tgz|gem|apk|ipk|crate|conda|nupkg|metadata|iso|pkg\.tar\.\w+)(?:\.(?:asc|sig|gpg))?$/;

/** Of one rank: names, and ends of paths. */
const MATCHERS = ([TOP_INDEX, ROOT_INDEX, INDEX] as const).map((rank) => {
  const field = ({ [TOP_INDEX]: 'top', [ROOT_INDEX]: 'root', [INDEX]: 'index' } as const)[rank];
  const all = Object.values(LAYOUTS).flatMap((layout) => layout[field] ?? []);
  const oneOf = (names: readonly string[]) => names.join('|').replaceAll('.+', '[^/]+');
  const paths = all.filter((name) => name.includes('/'));
  return {
    rank,
    name: new RegExp(`^(?:${oneOf(all.filter((name) => !name.includes('/')))})$`),
    path: paths.length === 0 ? undefined : new RegExp(`(?:^|/)(?:${oneOf(paths)})$`),
  };
});
const INDEX_DIRECTORIES = new Set(Object.values(LAYOUTS).flatMap(({ directories = [] }) => directories));

export function rankOf(path: ByteString): number {
  const file = path.slice(path.lastIndexOf('/') + 1);
  if (PACKAGE.test(file) || path.startsWith('pool/') || path.includes('/pool/')) return PLAIN;
  const parts = path.split('/');
  const name = file.replace(AROUND, '');
  const end = parts.length > 1 ? [...parts.slice(-3, -1), name].join('/') : undefined;
  for (const matcher of MATCHERS)
    if (matcher.name.test(name) || (end !== undefined && matcher.path?.test(end) === true)) return matcher.rank;
  return parts.some((part, at) => at < parts.length - 1 && INDEX_DIRECTORIES.has(part)) ? INDEX : PLAIN;
}
