/** What a SRC of the command line says: `CID[/PATH]`, `/ipfs/CID`, `/ipns/NAME`, `http://host/NAME[@WHEN][/PATH]`. Nothing is asked here. */

import { displayUrl } from '../core/display.ts';
import { ShardctlError } from '../core/errors.ts';
import type { BlockId, ByteString } from '../core/model.ts';
import { percentDecoded, toBytes } from '../core/path-bytes.ts';
import { parseCid, readCid } from '../dag/cid.ts';
import { anyCidIn } from '../dag/cid-text.ts';

export type SourceText =
  | { readonly kind: 'cid'; readonly id: BlockId; readonly path: ByteString; readonly gateway: string | undefined }
  /** A name of IPNS or DNSLink. */
  | { readonly kind: 'name'; readonly name: string; readonly path: ByteString; readonly gateway: string | undefined }
  /** Below a `serve`. Which part of the URL is the repository's name is not known yet: a proxy may have it below a path. Its parts, as they stand there. */
  | { readonly kind: 'served'; readonly origin: string; readonly parts: readonly string[] };

/**
 * @returns undefined for what may be a REF of a home
 * @throws ShardctlError `USAGE`
 */
export function readSourceText(text: string): SourceText | undefined {
  if (/^https?:\/\//i.test(text)) return urlSource(text);
  const [, scheme, rest = ''] = /^(?:\/?(ipfs|ipns)(?:\/|:\/\/))(.+)$/s.exec(text) ?? [];
  if (scheme !== undefined) return textSource(scheme, rest);
  const [first = ''] = text.split('/', 1);
  return anyCidIn(first) === undefined ? undefined : textSource('ipfs', text);
}

function urlSource(text: string): SourceText {
  if (!URL.canParse(text))
    throw new ShardctlError('USAGE', `"${displayUrl(text)}" is not a URL`, { hint: 'write for example http://host:8080/debian' });
  const url = new URL(text);
  const parts = url.pathname.split('/').filter((part) => part !== '');
  url.pathname = '/';
  url.search = '';
  url.hash = '';
  const [first = ''] = parts;
  if ((first === 'ipfs' || first === 'ipns') && parts.length > 1)
    return namedSource(first, decoded(parts[1] as string), pathIn(parts.slice(2)), url.href);
  if (parts.length === 0) {
    throw new ShardctlError('USAGE', `"${displayUrl(text)}" names no repository`, {
      hint: `write for example ${displayUrl(url.href)}debian`,
    });
  }
  return { kind: 'served', origin: url.href, parts };
}

/** Names as they stand in a URL need not be UTF-8. */
export function pathIn(parts: readonly string[]): ByteString {
  return parts.map(percentDecoded).join('/');
}

function textSource(scheme: string, text: string): SourceText {
  const [first = '', ...rest] = text.split('/');
  return namedSource(scheme, first, toBytes(rest.filter((part) => part !== '').join('/')), undefined);
}

function namedSource(scheme: string, first: string, path: ByteString, gateway: string | undefined): SourceText {
  if (scheme === 'ipns') return { kind: 'name', name: first, path, gateway };
  const cid = anyCidIn(first);
  if (cid !== undefined && readCid(cid.bytes) === undefined) parseCid(first);
  if (cid === undefined)
    throw new ShardctlError('USAGE', `"${first}" is not a CID`, { hint: '`shardctl snapshots` shows the CID of each snapshot' });
  const { codec, digest } = parseCid(first);
  return { kind: 'cid', id: { codec, digest }, path, gateway };
}

export function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
