/** How an answer of the gateway begins, and what follows it. */

import { textOfCid } from '../../dag/cid.ts';
import type { FileAnswer } from '../body/send.ts';
import { LINE_HEADERS } from '../paths/content-type.ts';
import type { ContentBlocks } from './content-blocks.ts';
import { type ContentPath, printable } from './content-path.ts';
import type { ResolvedPath } from './resolved-path.ts';
import type { ResponseFormat } from './response-format.ts';

export interface GatewayRequest {
  readonly method: string;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly path: ContentPath;
  readonly format: ResponseFormat;
  readonly blocks: ContentBlocks;
}

export interface GatewayAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Body;
}

/** Bytes that are there, a body that is made while it is sent, a part of a file; undefined: none, as HEAD wants it. */
export type Body =
  | Uint8Array
  | { readonly pieces: AsyncGenerator<Uint8Array> }
  | Pick<FileAnswer, 'from' | 'to' | 'windows' | 'hold'>
  | undefined;

const IMMUTABLE = 'public, max-age=29030400, immutable';

/** An answer of one line. */
export function plain(status: number, line: string, headers: Readonly<Record<string, string>> = {}): GatewayAnswer {
  return {
    status,
    headers: { ...headers, ...LINE_HEADERS },
    body: Buffer.from(`${line}\n`, 'latin1'),
  };
}

/** The headers of every answer that has content. */
export function contentHeaders({ path }: GatewayRequest, { roots }: Pick<ResolvedPath, 'roots'>): Record<string, string> {
  return {
    'x-ipfs-path': printable(path.decoded),
    'x-ipfs-roots': roots.map(({ bytes }) => textOfCid(bytes)).join(','),
    'cache-control': IMMUTABLE,
    vary: 'Accept',
  };
}

/** @param name that a file should have which is made of the answer */
export function disposition(kind: 'attachment' | 'inline', name: string): string {
  const ascii = encodeURIComponent(name.replace(/[^ -~]/gu, '_'));
  return `${kind}; filename="${ascii}"; filename*=UTF-8''${encodeURIComponent(wellFormed(name))}`;
}

/** Half a pair of UTF-16 would make encodeURIComponent throw. */
function wellFormed(text: string): string {
  return Buffer.from(text, 'utf8').toString('utf8');
}

/** The address at which the same answer is found without an `Accept` header. Undefined where this address is the one. */
export function contentLocation({ path, format }: GatewayRequest, name: string): string | undefined {
  if (path.query.get('format') === name) return undefined;
  const query = new URLSearchParams(path.query);
  query.set('format', name);
  for (const [key, value] of format.parameters) if (!query.has(`${name}-${key}`)) query.set(`${name}-${key}`, value);
  query.sort();
  return `${path.encoded}?${query}`;
}
