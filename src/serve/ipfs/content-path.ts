/** `/ipfs/CID/PATH?QUERY` taken apart: the path gateway's names are bytes, and `+` is no space. */

import type { ByteString } from '../../core/model.ts';
import { percentDecoded } from '../../core/path-bytes.ts';
import { anyCidIn } from '../../dag/cid-text.ts';
import type { AnyCid } from '../../dag/foreign-cid.ts';

export interface ContentPath {
  readonly root: AnyCid;
  /** The CID as it stands in the path. */
  readonly rootText: string;
  /** Names below the root; empty ones are left out. */
  readonly names: readonly ByteString[];
  readonly endsInSlash: boolean;
  /** The path as it was sent, before the `?`. */
  readonly encoded: string;
  /** `/ipfs/CID/PATH` decoded, for `X-Ipfs-Path`. */
  readonly decoded: ByteString;
  readonly query: URLSearchParams;
}

/** What is wrong with a request, in words for whoever sent it. */
export class BadRequest extends Error {
  readonly status: number;

  constructor(message: string, status = 400) {
    super(message);
    this.status = status;
  }
}

/** @param url of the request, from its path on @throws BadRequest */
export function contentPathOf(url: string): ContentPath {
  const mark = url.indexOf('?');
  const encoded = mark === -1 ? url : url.slice(0, mark);
  const query = new URLSearchParams(mark === -1 ? '' : url.slice(mark + 1));
  const decoded = decodedPath(encoded);
  const [, , rootText = '', ...below] = decoded.split('/');
  if (rootText === '') throw new BadRequest('ask for /ipfs/CID');
  const names = below.filter((name) => name !== '');
  if (names.some((name) => name === '.' || name === '..')) throw new BadRequest('a path here has no "." and ".."');
  const root = anyCidIn(rootText);
  if (root === undefined) throw new BadRequest(`invalid path "${printable(decoded)}": "${printable(rootText)}" is no CID`);
  return { root, rootText, names, endsInSlash: below.at(-1) === '', encoded, decoded, query };
}

/** @throws BadRequest when a percent sign does not begin the code of a byte, or a byte is 0 */
function decodedPath(encoded: string): ByteString {
  if (/%(?![0-9a-fA-F]{2})/.test(encoded)) throw new BadRequest('a "%" in the path that does not begin the code of a byte');
  const decoded = percentDecoded(encoded);
  if (decoded.includes('\0')) throw new BadRequest('a byte 0 in the path');
  return decoded;
}

/** What a header or a message of one line can hold: bytes that it cannot are written as in a URL. */
export function printable(text: ByteString): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return text.replace(/[\u0000-\u001f\u007f]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`);
}
