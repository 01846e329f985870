/**
 * `/NAME@WHEN/PATH?QUERY` taken apart and put together. Names of files are bytes: each `%XX` is one byte whatever it is, `+` is a plus,
 * and `%2f` parts a path as `/` does (npm asks for `/@scope%2fname`).
 */

import type { ByteString } from '../../core/model.ts';
import { percentDecoded } from '../../core/path-bytes.ts';

/** First parts of addresses that mean something else. A repository with such a name is reached as `NAME@7/…` only. */
export const RESERVED_NAMES: ReadonlySet<string> = new Set([
  'ipfs',
  'ipns',
  'routing',
  'by-sha256',
  'metrics',
  'healthz',
  'readyz',
  'events',
  'favicon.ico',
  'robots.txt',
]);

export interface Address {
  /** Of the repository. */
  readonly name: string;
  /** What follows the last `@` of the name: a snapshot's number, a date, or nothing. Undefined without an `@`: the head is meant. */
  readonly when: string | undefined;
  /** Inside the tree; neither begins nor ends with a slash, and has no empty parts. */
  readonly path: ByteString;
  /** The address ends with a slash: what is meant is a directory. */
  readonly endsInSlash: boolean;
  /** With its question mark; empty when there is none. */
  readonly query: string;
}

/** The request is no address. The message says why. */
export class BadAddress extends Error {}

/**
 * @param url the request's target, beginning with a slash; the absolute form that proxies are sent is taken, too
 * @throws BadAddress for a `%` that begins no byte, a byte 0, and the names `.` and `..`
 */
export function addressOf(url: string): Address {
  const target = url.startsWith('/') ? url : url.replace(/^https?:\/\/[^/?#]*/i, '');
  const hash = target.indexOf('#');
  const whole = hash < 0 ? target : target.slice(0, hash);
  const mark = whole.indexOf('?');
  const encoded = mark < 0 ? whole : whole.slice(0, mark);
  const decoded = bytesOf(encoded);
  const parts = decoded.split('/');
  if (parts[0] !== '') throw new BadAddress('an address begins with a slash');
  for (const part of parts) if (part === '.' || part === '..') throw new BadAddress(`no entry is named "${part}"`);
  const first = parts[1] ?? '';
  const at = first.lastIndexOf('@');
  return {
    name: Buffer.from(at < 0 ? first : first.slice(0, at), 'latin1').toString('utf8'),
    when: at < 0 ? undefined : first.slice(at + 1),
    path: parts
      .slice(2)
      .filter((part) => part !== '')
      .join('/'),
    endsInSlash: parts.length > 2 && parts.at(-1) === '',
    query: mark < 0 ? '' : whole.slice(mark),
  };
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: printable ASCII is what most addresses are made of
const PLAIN = /^[\x01-\x24\x26-\x7e]*$/;

function bytesOf(encoded: string): ByteString {
  if (PLAIN.test(encoded)) return encoded;
  if (/%(?![0-9a-fA-F]{2})/.test(encoded)) throw new BadAddress('a "%" begins no byte');
  // What is beyond ASCII came as bytes: Node gives the target as latin1.
  const bytes = percentDecoded(encoded);
  if (bytes.includes('\0')) throw new BadAddress('a byte 0');
  return bytes;
}

/** A name or path as it stands in an address: all bytes but the unreserved characters of RFC 3986, and those that mean nothing in a path, are encoded. */
export function encodePath(path: ByteString): string {
  return path.replace(/[^A-Za-z0-9\-._~/@+!$,=]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`);
}

/** The first part of an address, with the slashes around it. */
export function encodeName(name: string, when: string | undefined): string {
  const bytes = Buffer.from(name, 'utf8').toString('latin1');
  return `/${encodePath(bytes).replaceAll('@', '%40')}${when === undefined ? '' : `@${encodePath(when)}`}/`;
}
