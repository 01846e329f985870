/**
 * Judges a package of an npm mirror: its packument, `PACKAGE/index.json`, and the tarballs that it names, which lie in `PACKAGE/-/`. A store
 * of verdaccio has `PACKAGE/package.json` with the tarballs beside it, of which only those are there that somebody has asked for: the ones
 * that it lists in `_attachments` and `_distfiles` count.
 */
import type { StoredTree } from '../../core/gate.ts';
import { type ByteString, FILE } from '../../core/model.ts';
import { joinBytes, partsOf, percentDecoded, toBytes } from '../../core/path-bytes.ts';
import { type Claim, type Claims, digestNamed, pathWithin, UnreadableIndex } from '../claims/claim.ts';
import type { Comparison } from '../claims/comparison.ts';
import { CLAIMS } from '../claims/unit-reader.ts';
import { isObject, jsonObject, wholeBytes } from '../text/whole-text.ts';

/** The largest of the public registry have 30 MB. */
const MOST_BYTES = 128 * 1024 ** 2;

/** Any tree may have an `index.json`: only one that is a packument is judged, or that was one before, or lies beside tarballs. */
export async function judgePackument(comparison: Comparison, path: ByteString): Promise<void> {
  const { tree } = comparison;
  const { passed } = tree;
  const all = await comparison.topIndex('npm', path, (of) => claimsOf(of, path), await hasTarballs(tree, path));
  if (all === undefined) return;
  const now = async function* (): Claims {
    yield all;
  };
  if (passed !== undefined && (await comparison.isSame(path))) await comparison.sameIndex('npm', path, CLAIMS, now);
  else await comparison.index('npm', path, CLAIMS, now, passed === undefined ? undefined : () => passedClaims(passed, path));
}

async function* passedClaims(passed: StoredTree, path: ByteString): Claims {
  const claims = await claimsOf(passed, path);
  if (claims !== undefined) yield claims;
}

async function hasTarballs(tree: StoredTree, path: ByteString): Promise<boolean> {
  return (await tree.names(joinBytes(partsOf(path).above, '-'))).some((name) => name.endsWith('.tgz'));
}

/** @returns undefined for a file that is no packument @throws UnreadableIndex for one that is no JSON */
async function claimsOf(tree: StoredTree, path: ByteString): Promise<readonly Claim[] | undefined> {
  const entry = await tree.entry(path);
  if (entry?.kind !== FILE) return undefined;
  const { above: directory, name } = partsOf(path);
  const packument = jsonObject(await wholeBytes(tree.bytes(entry), MOST_BYTES));
  const { versions, _attachments: attachments, _distfiles: distfiles } = packument;
  if (typeof packument.name !== 'string' || !isObject(versions) || !isObject(packument['dist-tags'])) return undefined;
  assertName(toBytes(packument.name), directory);
  const isStore = name === 'package.json';
  if (isStore && !isObject(attachments)) return undefined;
  const stored = new Set([...keysOf(attachments), ...keysOf(distfiles)]);
  return Object.values(versions).flatMap((version): Claim[] => {
    const dist = isObject(version) ? version.dist : undefined;
    if (!isObject(dist) || typeof dist.tarball !== 'string') return [];
    const named = tarballName(dist.tarball);
    if (isStore && !stored.has(named.slice(named.lastIndexOf('/') + 1))) return [];
    const place = isStore ? named.slice(named.lastIndexOf('/') + 1) : named;
    return [{ path: pathWithin(directory, place), named, size: undefined, digest: digestIn(dist) }];
  });
}

/** A client asks for the name of a package: its directory ends with it, or is the end of it where the tree is one package. */
function assertName(name: ByteString, directory: ByteString): void {
  const path = percentDecoded(directory);
  if (!`/${path}`.endsWith(`/${name}`) && !`/${name}`.endsWith(`/${path}`))
    throw new UnreadableIndex('is the packument of another package');
}

/** From the directory of the package: `-/FILE.tgz`; the file alone where its address has no such part. */
function tarballName(url: string): ByteString {
  const path = percentDecoded(toBytes(url.replace(/[?#].*$/s, '')));
  const at = path.lastIndexOf('/-/');
  return path.slice(at < 0 ? path.lastIndexOf('/') + 1 : at + 1);
}

/** `integrity` (W3C's Subresource Integrity) may list several: the strongest counts, and sha1 of `shasum` without any. */
function digestIn({ integrity, shasum }: Readonly<Record<string, unknown>>): Claim['digest'] {
  const listed = typeof integrity === 'string' ? integrity.trim().split(/\s+/) : [];
  for (const algorithm of ['sha512', 'sha384', 'sha256', 'sha1']) {
    const found = listed.find((one) => one.startsWith(`${algorithm}-`));
    if (found === undefined) continue;
    const base64 = found.slice(algorithm.length + 1).replace(/\?.*$/s, '');
    return digestNamed(algorithm, Buffer.from(base64, 'base64').toString('hex'));
  }
  return typeof shasum === 'string' ? digestNamed('sha1', shasum) : undefined;
}

function keysOf(value: unknown): readonly string[] {
  return isObject(value) ? Object.keys(value) : [];
}
