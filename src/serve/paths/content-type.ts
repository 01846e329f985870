/** Media types by the names of files, and what a browser may do with a file that came from a mirror. */
import mime from 'mime-types';
import type { ByteString } from '../../core/model.ts';

/** What package tools and people expect, and mime-types does not know or names otherwise. */
const BY_NAME: Readonly<Record<string, string>> = {
  InRelease: 'text/plain; charset=utf-8',
  Release: 'text/plain; charset=utf-8',
  Packages: 'text/plain; charset=utf-8',
  Sources: 'text/plain; charset=utf-8',
  Contents: 'text/plain; charset=utf-8',
  README: 'text/plain; charset=utf-8',
  ChangeLog: 'text/plain; charset=utf-8',
  SHA256SUMS: 'text/plain; charset=utf-8',
  SHA512SUMS: 'text/plain; charset=utf-8',
  MD5SUMS: 'text/plain; charset=utf-8',
  list: 'text/plain; charset=utf-8',
  // PEP 691, in the names that bandersnatch gives them.
  'index.v1_json': 'application/vnd.pypi.simple.v1+json',
  'index.v1_html': 'application/vnd.pypi.simple.v1+html',
};

const BY_EXTENSION: Readonly<Record<string, string>> = {
  deb: 'application/vnd.debian.binary-package',
  udeb: 'application/vnd.debian.binary-package',
  ddeb: 'application/vnd.debian.binary-package',
  rpm: 'application/x-rpm',
  apk: 'application/octet-stream',
  dsc: 'text/plain; charset=utf-8',
  changes: 'text/plain; charset=utf-8',
  asc: 'application/pgp-signature',
  sha1: 'text/plain; charset=utf-8',
  sha256: 'text/plain; charset=utf-8',
  sha512: 'text/plain; charset=utf-8',
  md5: 'text/plain; charset=utf-8',
  // Of the Go module proxy.
  mod: 'text/plain; charset=utf-8',
  info: 'application/json',
  whl: 'application/zip',
  crate: 'application/gzip',
  tgz: 'application/gzip',
  gz: 'application/gzip',
  bz2: 'application/x-bzip2',
  xz: 'application/x-xz',
  lzma: 'application/x-lzma',
  zst: 'application/zstd',
  zck: 'application/octet-stream',
  lz4: 'application/x-lz4',
  ts: 'text/plain; charset=utf-8',
  py: 'text/plain; charset=utf-8',
  diff: 'text/plain; charset=utf-8',
  patch: 'text/plain; charset=utf-8',
  json: 'application/json',
  pom: 'application/xml',
  // No charset: the document may say another one, and browsers believe the header first.
  html: 'text/html',
  htm: 'text/html',
};

export const OCTETS = 'application/octet-stream';

/** The type of a file with this path. A file is never said to be *encoded* (`Content-Encoding`): a client would unpack `Packages.gz`. */
export function contentTypeOf(path: ByteString): string {
  const name = path.slice(path.lastIndexOf('/') + 1);
  if (Object.hasOwn(BY_NAME, name)) return BY_NAME[name] ?? OCTETS;
  const dot = name.lastIndexOf('.');
  if (dot < 0) return OCTETS;
  const extension = name.slice(dot + 1).toLowerCase();
  if (Object.hasOwn(BY_EXTENSION, extension)) return BY_EXTENSION[extension] ?? OCTETS;
  const type = mime.lookup(extension);
  return type === false ? OCTETS : mime.contentType(type) || OCTETS;
}

/** Types that browsers show as documents, in which scripts would run. */
const DOCUMENT = /html|xml|svg|pdf|multipart|rfc822/;

/**
 * Whoever can put a file into a mirror must not get at this server's status page, or at repositories for which the browser knows a
 * password. So a document of a mirror has an origin of its own and runs no scripts; following its links and downloading works.
 */
export const SANDBOX = 'sandbox allow-downloads allow-popups allow-popups-to-escape-sandbox';

export function isDocument(type: string): boolean {
  return DOCUMENT.test(type);
}

/** Of an answer of one line: text, whatever stands in it. */
export const LINE_HEADERS: Readonly<Record<string, string>> = {
  'content-type': 'text/plain; charset=utf-8',
  'x-content-type-options': 'nosniff',
};
