/** What is asked of a request before it reaches a route. It costs well-formed requests next to nothing. */
import type { IncomingMessage, ServerResponse } from 'node:http';

/** Characters of a request's target. Node itself refuses heads of more than 16 KiB with 431. */
export const MOST_TARGET = 8192;
const ALLOWED = 'GET, HEAD, OPTIONS';
/** What the IPFS gateway specification asks a browser to be told; nothing here depends on cookies. */
const CROSS_ORIGIN = {
  'access-control-allow-origin': '*',
  'access-control-allow-methods': ALLOWED,
  'access-control-allow-headers': 'Accept, Authorization, Content-Type, If-None-Match, Range, User-Agent, X-Requested-With',
  // The last two are sent by other gateways only, and asked for by the specification all the same.
  'access-control-expose-headers': 'Content-Length, Content-Range, ETag, X-Ipfs-Path, X-Ipfs-Roots, X-Chunked-Output, X-Stream-Output',
  'access-control-max-age': '86400',
} as const;
const CROSS_ORIGIN_ANSWER = Object.entries(CROSS_ORIGIN).filter(([name]) => name !== 'access-control-max-age');
/** Answers what no route is for. @returns whether the request may go on */
export function passes(request: IncomingMessage, response: ServerResponse): boolean {
  const { method } = request;
  if (method !== 'GET' && method !== 'HEAD') return refusesMethod(request, response);
  const url = request.url ?? '';
  if (url.length > MOST_TARGET) return refuse(response, 414, `the address has more than ${MOST_TARGET} characters`);
  const { headers } = request;
  if ((headers['content-length'] ?? '0') !== '0' || headers['transfer-encoding'] !== undefined) {
    // The body would have to be read to find where the next request begins.
    return refuse(response, 413, 'a request has no body here');
  }
  if (isForAnybody(url)) for (const [name, value] of CROSS_ORIGIN_ANSWER) response.setHeader(name, value);
  return (url.charCodeAt(0) === SLASH && !url.includes('%')) || hasAddress(request, response, url);
}

const SLASH = 0x2f;

function refusesMethod(request: IncomingMessage, response: ServerResponse): false {
  if (request.method === 'OPTIONS') {
    response.writeHead(204, { allow: ALLOWED, ...(isForAnybody(request.url ?? '') ? CROSS_ORIGIN : {}) });
    response.end();
    return false;
  }
  return refuse(response, 405, 'this server is for reading only', { allow: ALLOWED });
}

/** Pages of any origin may read what is addressed by its content; what else there is, is of this server alone. */
function isForAnybody(url: string): boolean {
  return url.startsWith('/ipfs/') || url.startsWith('/routing/');
}

function hasAddress(request: IncomingMessage, response: ServerResponse, url: string): boolean {
  const target = url.charCodeAt(0) === SLASH ? url : url.replace(/^https?:\/\/[^/?#]*(?=[/?#]|$)/i, '');
  const local = target === '' || target.startsWith('?') ? `/${target}` : target;
  if (local.charCodeAt(0) !== SLASH) return refuse(response, 400, 'an address begins with a slash');
  if (/%(?![0-9a-fA-F]{2})/.test(local)) return refuse(response, 400, 'a "%" begins no byte');
  if (/%00/.test(local)) return refuse(response, 400, 'a byte 0');
  if (local !== url) request.url = local;
  return true;
}

function refuse(response: ServerResponse, code: number, why: string, headers: Readonly<Record<string, string>> = {}): false {
  const text = `${why}\n`;
  // The connection is not used again: what follows may be a body.
  if (response.req.httpVersionMajor === 1) response.setHeader('connection', 'close');
  response.setHeader('content-type', 'text/plain; charset=utf-8');
  response.setHeader('content-length', text.length);
  response.writeHead(code, headers).end(text);
  return false;
}
