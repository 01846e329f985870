/** For tests: what an honest gateway says, of blocks in memory or by the word of a real one. */
import { type BlockId, RAW } from '../core/model.ts';
import { parseCid } from '../dag/cid.ts';
import { decodeNode } from '../dag/node-reader.ts';
import type { Answer, Asked, Truth } from './hostile-gateway.ts';

/** Files that are longer end there. */
const MOST_FILE_BYTES = 64 * 1024 * 1024;
/** A node may link the same one again and again. */
const MOST_VISITS = 100_000;
/** What holds of the connection to the real gateway alone. */
const OF_THE_CONNECTION = new Set(['connection', 'keep-alive', 'transfer-encoding', 'content-length', 'content-encoding', 'date']);

/** @returns undefined when there is no such block */
export type BlockLookUp = (digest: Uint8Array) => Uint8Array | undefined;

/** `/ipfs/CID` of these blocks: `?format=raw`, and files with ranges. Shards are files. */
export function truthOf(blocks: BlockLookUp): Truth {
  return (asked) => {
    const { pathname, searchParams } = new URL(asked.path, asked.url);
    const [, name = ''] = /^\/ipfs\/([^/]+)$/.exec(pathname) ?? [];
    const id = idOf(name);
    const block = id && blocks(id.digest);
    if (id === undefined || block === undefined) return textAnswer(404, 'no such block');
    if (searchParams.get('format') === 'raw' || asked.headers.get('accept')?.includes('application/vnd.ipld.raw') === true)
      return { status: 200, headers: { 'content-type': 'application/vnd.ipld.raw', etag: `"${name}.raw"` }, body: Buffer.from(block) };
    return ranged(asked, fileOf(id, blocks), { 'content-type': 'application/octet-stream', etag: `"${name}"`, 'accept-ranges': 'bytes' });
  };
}

/** What a real gateway, or any server, says. @param url without a slash at its end */
export function truthAt(url: string): Truth {
  return async ({ method, path, headers }) => {
    const passed = ['accept', 'range', 'authorization', 'if-none-match'].flatMap((name) => {
      const value = headers.get(name);
      return value === undefined ? [] : [[name, value] as [string, string]];
    });
    const response = await fetch(`${url}${path}`, { method, headers: passed, redirect: 'manual' });
    const kept = [...response.headers].filter(([name]) => !OF_THE_CONNECTION.has(name));
    return { status: response.status, headers: Object.fromEntries(kept), body: Buffer.from(await response.arrayBuffer()) };
  };
}

export function textAnswer(status: number, body: string): Answer {
  return { status, headers: { 'content-type': 'text/plain' }, body: Buffer.from(body) };
}

/** First and last byte that a request asks for of so many; undefined where it asks for all. */
export function rangeOf({ headers }: Pick<Asked, 'headers'>, size: number): readonly [number, number] | undefined {
  const [, first = '', last = ''] = /^bytes=(\d*)-(\d*)$/.exec(headers.get('range') ?? '') ?? [];
  if (first === '' && last === '') return undefined;
  if (first === '') return [Math.max(0, size - Number(last)), size - 1];
  return [Number(first), last === '' ? size - 1 : Math.min(Number(last), size - 1)];
}

function ranged(asked: Asked, whole: Buffer, headers: Answer['headers']): Answer {
  const range = rangeOf(asked, whole.length);
  if (range === undefined) return { status: 200, headers, body: whole };
  const [first, last] = range;
  if (first > last) return { status: 416, headers: { 'content-range': `bytes */${whole.length}` }, body: Buffer.alloc(0) };
  return {
    status: 206,
    headers: { ...headers, 'content-range': `bytes ${first}-${last}/${whole.length}` },
    body: whole.subarray(first, last + 1),
  };
}

function idOf(name: string): BlockId | undefined {
  try {
    return parseCid(name);
  } catch {
    return undefined;
  }
}

/** As far as the blocks are there, and say something. */
function fileOf(id: BlockId, blocks: BlockLookUp): Buffer {
  const leaves: Uint8Array[] = [];
  let bytes = 0;
  let visits = 0;
  const visit = ({ codec, digest }: BlockId): boolean => {
    const block = blocks(digest);
    if (block === undefined || ++visits > MOST_VISITS) return false;
    if (codec !== RAW) return linksOf(block).every(visit);
    leaves.push(block);
    bytes += block.length;
    return bytes < MOST_FILE_BYTES;
  };
  visit(id);
  return Buffer.concat(leaves);
}

function linksOf(block: Uint8Array): readonly BlockId[] {
  try {
    return decodeNode(block).links;
  } catch {
    return [];
  }
}
