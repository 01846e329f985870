/** For tests: what a hostile gateway makes of its honest answers. Each of `LIES` is to be found out; with `NUISANCES` a client has to live. */
import { setTimeout } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { type Answer, headOf, honestly, type Lie, type LieRule, type Spoken } from './hostile-gateway.ts';
import { rangeOf } from './hostile-gateway-truth.ts';

const PIECE = Buffer.alloc(64 * 1024, 'endless ');
/** As much as an answer that never ends has, so that a client that never stops does not hold up the test for ever. */
const NEARLY_ENDLESS = 16 * 1024 * 1024 * 1024;

/** Where in a body something goes wrong, by its length. */
export type Place = (length: number) => number;
export const START: Place = () => 0;
export const MIDDLE: Place = (length) => length >> 1;
export const END: Place = (length) => length - 1;

/** Every bit of the body is another one. */
export const wrongBytes: Lie = changed((body) => body.map((byte) => byte ^ 0xff));

/** One bit is another one. */
export function flipped(place: Place = MIDDLE): Lie {
  return changed((body) => {
    const bytes = Buffer.from(body);
    const at = place(body.length);
    if (at >= 0 && at < bytes.length) bytes[at] = (bytes[at] as number) ^ 1;
    return bytes;
  });
}

/** As much as the place says, and the length says so, too. */
export function truncated(place: Place = MIDDLE): Lie {
  return changed((body) => body.subarray(0, place(body.length)));
}

/** The connection ends there, although more was promised. */
export function cut(place: Place = MIDDLE, afterwards: 'close' | 'reset' | 'silence' = 'reset'): Lie {
  return async (truth, asked) => {
    const { head, body } = await honestly(truth, asked);
    return { head, body: (body as Buffer).subarray(0, place((body as Buffer).length)), afterwards };
  };
}

/** The truth, and then more of it without an end. @param isCounted with the length of the truth at its head */
export function endless(isCounted: boolean): Lie {
  return async (truth) => {
    const { status, headers, body } = await truth();
    const counted: Answer['headers'] = isCounted ? { 'content-length': String(body.length) } : { connection: 'close' };
    return { head: headOf(status, { ...headers, ...counted }), body: withoutEnd(body), afterwards: 'close' };
  };
}

/** The truth, a few bytes at a time. @param bytes each time @param everyMs milliseconds from one to the next */
export function dripping(bytes: number, everyMs: number): Lie {
  return async (truth, asked) => {
    const { head, body } = await honestly(truth, asked);
    return { head, body: slices(body as Buffer, bytes, everyMs), afterwards: 'keep' };
  };
}

/** Takes the request, and says nothing. */
export const silent: Lie = () => ({ head: '', body: Buffer.alloc(0), afterwards: 'silence' });

/** The same length, and a web page where the truth should be. */
export const html: Lie = () => said(200, { 'content-type': 'text/html; charset=utf-8' }, '<!DOCTYPE html><title>Sign in</title><p>Hello');

/** The true body under other headers. */
export function claiming(headers: (answer: Answer) => Record<string, string | readonly string[]>): Lie {
  return async (truth) => {
    const answer = await truth();
    const { status, body } = answer;
    return {
      head: headOf(status, { ...answer.headers, 'content-length': String(body.length), ...headers(answer) }),
      body,
      afterwards: 'keep',
    };
  };
}

/** The whole of it, whatever range was asked for. */
export const rangeIgnored: Lie = async (truth, asked) => {
  const bare = { ...asked, headers: new Map([...asked.headers].filter(([name]) => name !== 'range')) };
  const { headers, body } = await truth(bare);
  return said(200, headers, body);
};

/** So many bytes further on. @param isOwned says so in `content-range` */
export function otherRange(shift: number, isOwned: boolean): Lie {
  return async (truth, asked) => {
    const whole = await truth({ ...asked, headers: new Map([...asked.headers].filter(([name]) => name !== 'range')) });
    const range = rangeOf(asked, whole.body.length);
    if (range === undefined) return said(whole.status, whole.headers, whole.body);
    const [first, last] = range;
    const claimed = isOwned ? [first + shift, last + shift] : range;
    const body = Buffer.from(Buffer.concat([whole.body, Buffer.alloc(shift)]).subarray(first + shift, last + shift + 1));
    return said(206, { ...whole.headers, 'content-range': `bytes ${claimed[0]}-${claimed[1]}/${whole.body.length}` }, body);
  };
}

/** @param retryAfter value of the header */
export function unwilling(status: number, retryAfter?: string): Lie {
  return () => said(status, retryAfter === undefined ? {} : { 'retry-after': retryAfter }, 'not now');
}

/** @param to where to, of the path that was asked for */
export function redirecting(status: number, to: (path: string, url: string) => string): Lie {
  return (_, { path, url }) => said(status, { location: to(path, url) }, '');
}

/** Small on the way, and without an end when it is unpacked. */
export const gzipBomb: Lie = async (truth) => {
  const { status, headers } = await truth();
  return {
    head: headOf(status, { ...headers, 'content-encoding': 'gzip', connection: 'close' }),
    body: again(packedZeros()),
    afterwards: 'close',
  };
};

export const hugeHeaders: Lie = async (truth) => {
  const { status, headers, body } = await truth();
  return said(status, { ...headers, 'x-huge': 'x'.repeat(10_000_000) }, body);
};

export const endlessHeaders: Lie = () => ({
  head: lines('HTTP/1.1 200 OK\r\n', 'x-more: and more\r\n'),
  body: Buffer.alloc(0),
  afterwards: 'close',
});
export const endlessHints: Lie = () => ({
  head: lines('', 'HTTP/1.1 103 Early Hints\r\n\r\n'),
  body: Buffer.alloc(0),
  afterwards: 'close',
});

/** Not HTTP at all. */
export const notHttp: Lie = () => ({ head: 'SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n', body: Buffer.alloc(0), afterwards: 'close' });

/** A chunk that is said to have 2^64 − 1 bytes. */
export const hugeChunk: Lie = async (truth) => {
  const { status, headers, body } = await truth();
  const chunked = Buffer.concat([Buffer.from('ffffffffffffffff\r\n'), body]);
  return { head: headOf(status, { ...headers, 'transfer-encoding': 'chunked' }), body: chunked, afterwards: 'close' };
};

/** By what the gateway does: none of it is the truth, nor leads to it. Those that wait, wait until the client goes away. */
export const LIES: Readonly<Record<string, Lie>> = {
  'gives other bytes': wrongBytes,
  'flips the first bit': flipped(START),
  'flips a bit in the middle': flipped(MIDDLE),
  'flips the last bit': flipped(END),
  'gives half, and says so': truncated(MIDDLE),
  'gives nothing, and says so': truncated(START),
  'resets the connection before the first byte': cut(START),
  'resets the connection in the middle': cut(MIDDLE),
  'closes the connection before the last byte': cut(END, 'close'),
  'falls silent after the headers': cut(START, 'silence'),
  'falls silent in the middle': cut(MIDDLE, 'silence'),
  'says nothing at all': silent,
  'never ends': endless(false),
  drips: dripping(1, 1000),
  'shows a web page': html,
  'shows a web page under the right type': changed(() => Buffer.from('<!DOCTYPE html><title>Sign in</title>')),
  'says a length of 10^15': claiming(() => ({ 'content-length': '1000000000000000' })),
  'says a length below zero': claiming(() => ({ 'content-length': '-1' })),
  'says two lengths': claiming(({ body }) => ({ 'content-length': [String(body.length), '1'] })),
  'says a length that is short': claiming(({ body }) => ({ 'content-length': String(body.length >> 1) })),
  'says a chunk of 2^64 − 1': hugeChunk,
  'says 204': () => ({ head: headOf(204, {}), body: Buffer.alloc(0), afterwards: 'keep' }),
  'says 304': () => ({ head: headOf(304, {}), body: Buffer.alloc(0), afterwards: 'keep' }),
  'says 101': () => ({ head: headOf(101, { upgrade: 'other', connection: 'upgrade' }), body: Buffer.alloc(0), afterwards: 'silence' }),
  'says 404': unwilling(404),
  'says 500': unwilling(500),
  'says 429 and to come in 10^9 seconds': unwilling(429, '1000000000'),
  'says 503 and nonsense': unwilling(503, 'soon; -1, NaN'),
  'leads in a circle': redirecting(301, (path) => path),
  'leads on without an end': redirecting(302, (path) => `${path}${path.includes('?') ? '&' : '?'}on=1`),
  'leads to a file': redirecting(301, () => 'file:///etc/passwd'),
  'leads to nobody': redirecting(307, () => 'http://127.0.0.1:1/'),
  'leads nowhere': redirecting(301, () => 'http://[not a host'),
  'packs zeros without an end': gzipBomb,
  'has headers of 10 MB': hugeHeaders,
  'has headers without an end': endlessHeaders,
  'hints without an end': endlessHints,
  'is no HTTP server': notHttp,
};

/** Lies about ranges alone: a client that asks for none is told the truth. */
export const RANGE_LIES: Readonly<Record<string, Lie>> = {
  'gives another range': otherRange(1, false),
  'gives another range, and says so': otherRange(1, true),
  'says another range of the right bytes': claiming(({ status }) =>
    Object.fromEntries(status === 206 ? [['content-range', 'bytes 0-0/1']] : []),
  ),
  'says that the range cannot be had': async (truth, asked) =>
    asked.headers.has('range') ? said(416, { 'content-range': 'bytes */1' }, '') : await honestly(truth, asked),
};

/** By what the gateway does: with these a client gets what it wants in the end. */
export const NUISANCES: Readonly<Record<string, LieRule>> = {
  'closes connections that it promised to keep': () => async (truth, asked) => ({ ...(await honestly(truth, asked)), afterwards: 'close' }),
  'says no length': () => async (truth) => {
    const { status, headers, body } = await truth();
    return { head: headOf(status, { ...headers, connection: 'close' }), body, afterwards: 'close' };
  },
  'says 429 once, and to come in a second': ({ nth }) => (nth === 0 ? unwilling(429, '1') : undefined),
  'says 503 once, and until when': ({ nth }) => (nth === 0 ? unwilling(503, new Date(Date.now() + 1000).toUTCString()) : undefined),
  'resets the first connection of each path': ({ nth }) => (nth === 0 ? cut(START) : undefined),
  'goes on behind the end that it said': () => endless(true),
  'knows no ranges': () => rangeIgnored,
  'moved within itself': ({ path }) =>
    path.includes('moved=1') ? undefined : redirecting(301, (it) => `${it}${it.includes('?') ? '&' : '?'}moved=1`),
};

/** The truth with another body, whose length is said. */
function changed(change: (body: Buffer) => Uint8Array): Lie {
  return async (truth) => {
    const { status, headers, body } = await truth();
    return said(status, headers, Buffer.from(change(body)));
  };
}

function said(status: number, headers: Answer['headers'], body: string | Buffer): Spoken {
  const bytes = Buffer.from(body as string);
  return { head: headOf(status, { ...headers, 'content-length': String(bytes.length) }), body: bytes, afterwards: 'keep' };
}

async function* withoutEnd(first: Buffer): AsyncGenerator<Buffer> {
  yield first;
  for (let sent = 0; sent < NEARLY_ENDLESS; sent += PIECE.length) yield PIECE;
}

async function* again(packed: Buffer): AsyncGenerator<Buffer> {
  for (let sent = 0; sent < NEARLY_ENDLESS; sent += packed.length) yield packed;
}

async function* lines(first: string, more: string): AsyncGenerator<Buffer> {
  yield Buffer.from(first);
  yield* again(Buffer.from(more.repeat(100)));
}

async function* slices(body: Buffer, bytes: number, everyMs: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < body.length; at += bytes) {
    yield body.subarray(at, at + bytes);
    // A wait that alone keeps no test alive.
    await setTimeout(everyMs, undefined, { ref: false });
  }
}

/** 64 MiB in 64 KB. */
function packedZeros(): Buffer {
  packed ??= gzipSync(Buffer.alloc(64 * 1024 * 1024));
  return packed;
}
let packed: Buffer | undefined;
