/** A page of a Python index, in HTML (PEP 503) or JSON (PEP 691): the files of a project. */

import type { StoredTree } from '../../core/gate.ts';
import { type ByteString, FILE } from '../../core/model.ts';
import { joinBytes, partsOf, percentDecoded, toBytes } from '../../core/path-bytes.ts';
import { type Claim, digestNamed, pathWithin, sizeIn, UnreadableIndex } from '../claims/claim.ts';
import { parsed } from '../text/markup.ts';
import { isObject, jsonObject, wholeBytes } from '../text/whole-text.ts';

/** What pip takes, and eggs. */
const DISTRIBUTION = /\.(?:whl|egg|zip|tar|tar\.(?:gz|bz2|xz|lz|lzma)|tgz|tbz|txz|tlz)$/i;

const MOST_BYTES = 128 * 1024 ** 2;
/** No project has a million files; a stranger's 128 MiB of the shortest links are 13 million. */
const MOST_LINKS = 1_000_000;

export interface Place {
  /** The directory that `simple` is in. */
  readonly index: ByteString;
  /** The page's path. */
  readonly page: ByteString;
}

/**
 * What pip may take from a page: links with a hash, and those that are named as distributions are.
 * @returns undefined for what is no page of a project: any web site may have a directory `simple` @throws UnreadableIndex
 */
export async function pageClaims(tree: StoredTree, place: Place): Promise<readonly Claim[] | undefined> {
  const entry = await tree.entry(place.page);
  if (entry?.kind !== FILE) return undefined;
  if (entry.size > MOST_BYTES) throw new UnreadableIndex('is longer than 128 MiB');
  const links = place.page.endsWith('json') ? await jsonLinks(tree.bytes(entry)) : await htmlLinks(tree.bytes(entry));
  const files = links.filter((link) => isHashed(link) || isDistribution(link));
  if (files.length === 0 || (files.length < links.length && !files.some(isHashed))) return undefined;
  const claims: Claim[] = [];
  for (const link of files) {
    const claim = await claimOf(tree, place, link);
    if (claim !== undefined) claims.push(claim);
  }
  return claims;
}

function isHashed({ algorithm, hex }: FileLink): boolean {
  return digestNamed(algorithm, hex) !== undefined;
}

function isDistribution({ url }: FileLink): boolean {
  return DISTRIBUTION.test(url.replace(/\?.*$/s, ''));
}

interface FileLink {
  /** Without what comes after `#`. */
  readonly url: string;
  readonly algorithm: string;
  readonly hex: string;
  readonly size: number | undefined;
}

async function htmlLinks(bytes: AsyncIterable<Uint8Array>): Promise<readonly FileLink[]> {
  const links: FileLink[] = [];
  let isWhole = false;
  const elements = {
    open: (name: string, { href }: Readonly<Record<string, string>>) => {
      if (name !== 'a' || href === undefined) return;
      const [url = '', fragment = ''] = href.split('#');
      if (url === '' || url.endsWith('/')) return;
      const [algorithm = '', hex = ''] = fragment.split('=');
      if (links.length === MOST_LINKS) throw new UnreadableIndex(`has more than ${MOST_LINKS.toLocaleString('en-US')} links`);
      links.push({ url, algorithm, hex, size: undefined });
    },
    text: () => {},
    close: (name: string) => {
      if (name === 'body' || name === 'html') isWhole = true;
    },
  };
  for await (const _ of parsed(bytes, false, elements));
  // The parser closes what is open at the end; a page without any element is none.
  if (!isWhole && links.length === 0) throw new UnreadableIndex('is no HTML');
  return links;
}

async function jsonLinks(bytes: AsyncIterable<Uint8Array>): Promise<readonly FileLink[]> {
  const { files } = jsonObject(await wholeBytes(bytes, MOST_BYTES));
  if (!Array.isArray(files)) throw new UnreadableIndex('lists no files');
  return files.flatMap((file: unknown): FileLink[] => {
    if (!isObject(file) || typeof file.url !== 'string') return [];
    const hashes = isObject(file.hashes) ? file.hashes : {};
    const algorithm = ['sha256', 'sha512', 'sha384', 'sha1', 'md5'].find((name) => typeof hashes[name] === 'string') ?? '';
    return [{ url: file.url.replace(/#.*$/s, ''), algorithm, hex: String(hashes[algorithm] ?? ''), size: sizeIn(String(file.size)) }];
  });
}

/** @returns undefined for a file of another server */
async function claimOf(tree: StoredTree, { index, page }: Place, { url, algorithm, hex, size }: FileLink): Promise<Claim | undefined> {
  const named = percentDecoded(toBytes(url.replace(/\?.*$/s, '')));
  const digest = digestNamed(algorithm, hex);
  const scheme = /^(?:[a-z][a-z0-9+.-]*:)?\/\/[^/]*/i.exec(named)?.[0];
  if (scheme === undefined && !named.startsWith('/')) {
    return { path: pathWithin(partsOf(page).above, named), named, size, digest };
  }
  // Where on its server the index lies is not known here: the end of the path that is there counts, from the longest on.
  const names = named
    .slice(scheme?.length ?? 0)
    .split('/')
    .slice(1);
  for (let from = 0; from < Math.min(names.length, 8); from++) {
    const path = pathWithin(index, names.slice(from).join('/'));
    if (path !== undefined && (await tree.entry(path))?.kind === FILE) return { path, named, size, digest };
  }
  if (scheme !== undefined) return undefined;
  return { path: pathWithin(index, names.join('/')) ?? joinBytes(index, 'packages'), named, size, digest };
}
