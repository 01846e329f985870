import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, get, type IncomingMessage } from 'node:http';
import { connect, createServer as createServer2 } from 'node:http2';
import { type AddressInfo, connect as connectTcp, type Server } from 'node:net';
import { after, test } from 'node:test';
import { fastify } from 'fastify';
import { BodyMemory, type Share } from './body-memory.ts';
import { type FileAnswer, sendFile } from './send.ts';
import { MakingTurns } from './turns.ts';

const body = Buffer.from(Array.from({ length: 3_000_000 }, (_, at) => at % 251));
const done: (() => void)[] = [];
after(() => {
  for (const close of done) close();
});

interface Tried {
  readonly url: string;
  /** Windows that were asked for, and what became of the generators. */
  readonly log: { windows: number; begun: number; ended: number; cuts: unknown[] };
}

/** A server that answers with `body`. @param failsAt at this byte the windows end with an error @param isHttp2 in the clear */
async function serving(failsAt: number | undefined, isHttp2 = false): Promise<Tried> {
  const log: Tried['log'] = { windows: 0, begun: 0, ended: 0, cuts: [] };
  const windows: FileAnswer['windows'] = async function* (from, to) {
    log.begun++;
    try {
      for (let at = from, end = at; at < to; at = end) {
        log.windows++;
        if (failsAt !== undefined && at >= failsAt) throw new Error('a block is damaged');
        // One buffer for all, as the windows of files have it: what is given out is valid until the next is asked for.
        end = Math.min(to, at + 500_000, failsAt ?? to);
        const scratch = Buffer.from(body.subarray(at, end));
        yield [scratch.subarray(0, 1000), scratch.subarray(1000)];
        scratch.fill(255);
      }
    } finally {
      log.ended++;
    }
  };
  const app = fastify({ serverFactory: (handle) => (isHttp2 ? createServer2(handle as never) : createServer(handle)) as never });
  app.get('/', async (_request, reply) => {
    const headers = { 'content-length': String(body.length), etag: '"x"' };
    const onCut = (error: unknown) => void log.cuts.push(error);
    await sendFile(reply, { status: 200, headers, from: 0, to: body.length, windows }, { onCut });
    return reply;
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = (app.server as Server).address() as AddressInfo;
  done.push(() => void app.close());
  return { url: `http://127.0.0.1:${port}/`, log };
}

/** Resolves when nothing is read any more. */
async function allEnded(log: Tried['log']): Promise<void> {
  while (log.begun === 0 || log.ended < log.begun) await new Promise(setImmediate);
}

async function got(url: string): Promise<{ readonly response: IncomingMessage; readonly bytes: Buffer; readonly error: unknown }> {
  const request = get(url, { agent: false });
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  const parts: Buffer[] = [];
  let error: unknown;
  try {
    for await (const part of response) parts.push(part as Buffer);
  } catch (thrown) {
    error = thrown;
  }
  return { response, bytes: Buffer.concat(parts), error };
}

async function got2(url: string): Promise<{ readonly bytes: Buffer; readonly code: number | undefined }> {
  const session = connect(url);
  const stream = session.request({ ':path': '/' });
  const parts: Buffer[] = [];
  stream.on('data', (part: Buffer) => void parts.push(part));
  stream.on('error', () => {});
  await new Promise((resolve) => stream.once('close', resolve));
  const code = stream.rstCode;
  session.close();
  return { bytes: Buffer.concat(parts), code };
}

test('a body arrives as it is, though each window is overwritten when the next is asked for', async () => {
  const { url, log } = await serving(undefined);
  const { response, bytes, error } = await got(url);
  assert.equal(error, undefined);
  assert.equal(response.headers['content-length'], String(body.length));
  assert.ok(bytes.equals(body));
  await allEnded(log);
});

test('over HTTP/2, too', async () => {
  const { url } = await serving(undefined, true);
  const { bytes, code } = await got2(url);
  assert.ok(bytes.equals(body));
  assert.equal(code, 0);
});

test('an answer that failed in the middle is cut: the client sees an error, and what it has is a beginning of the body', async () => {
  for (const isHttp2 of [false, true]) {
    const { url, log } = await serving(1_500_000, isHttp2);
    const { bytes, isCut } = isHttp2
      ? await got2(url).then(({ bytes, code }) => ({ bytes, isCut: code !== 0 }))
      : await got(url).then(({ bytes, error }) => ({ bytes, isCut: error !== undefined }));
    assert.ok(isCut);
    assert.ok(bytes.length <= 1_500_000 && bytes.equals(body.subarray(0, bytes.length)));
    assert.equal(log.cuts.length, 1);
    await allEnded(log);
  }
});

test('what fails before anything was sent is an error of the route', async () => {
  const { url, log } = await serving(0);
  assert.equal((await got(url)).response.statusCode, 500);
  assert.deepEqual(log.cuts, []);
});

test('nothing more is read for a client that takes nothing, and when it goes the windows end', async () => {
  const { url, log } = await serving(undefined);
  const request = get(url, { agent: false });
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  response.pause();
  response.on('error', () => {});
  request.destroy();
  await allEnded(log);
  assert.deepEqual(log.cuts, []);
});

test('when bodies take too much, those that have waited longest are dropped, and nobody who has just begun', () => {
  let now = 0;
  const memory = new BodyMemory({ mostBytes: 100, now: () => now });
  const dropped: string[] = [];
  const shares = new Map<string, Share>();
  const take = (name: string, bytes: number) => {
    shares.set(
      name,
      memory.take(bytes, () => void dropped.push(name)),
    );
  };
  take('a', 40);
  assert.equal(memory.isTight, false);
  take('b', 40);
  assert.equal(memory.isTight, true);
  take('c', 40);
  assert.deepEqual(dropped, [], 'all are young');
  now = 10_000;
  take('d', 1);
  assert.deepEqual(dropped, ['a']);
  memory.give(shares.get('b') as Share);
  memory.give(shares.get('a') as Share);
  assert.equal(memory.isTight, false, 'what was dropped is given back once');
});

test('what bodies take stays within its bound with many clients that read nothing, and whoever reads has his file', async () => {
  const most = 1024 * 1024;
  let peak = 0;
  class Watched extends BodyMemory {
    override take(bytes: number, drop: () => void): Share {
      const share = super.take(bytes, drop);
      peak = Math.max(peak, this.bytes);
      return share;
    }
  }
  const bounds = { memory: new Watched({ mostBytes: most }), making: new MakingTurns() };
  // More than the system takes for a connection that nobody reads.
  const large = Buffer.alloc(1024 * 1024, 7);
  const windows: FileAnswer['windows'] = async function* (from, to) {
    for (let at = from; at < to; at += large.length) yield [large.subarray(0, Math.min(large.length, to - at))];
  };
  const app = fastify();
  app.get('/:size', async (request, reply) => {
    const to = Number((request.params as { size: string }).size);
    await sendFile(reply, { status: 200, headers: { 'content-length': String(to) }, from: 0, to, windows }, { bounds });
    return reply;
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as AddressInfo;
  const idle = Array.from({ length: 40 }, () => connectTcp({ host: '127.0.0.1', port, readableHighWaterMark: 1 } as never).pause());
  done.push(() => {
    for (const socket of idle) socket.destroy();
    void app.close();
  });
  for (const socket of idle) socket.on('error', () => {}).write(`GET /${1e9} HTTP/1.1\r\nHost: x\r\n\r\n`);
  const { bytes } = await got(`http://127.0.0.1:${port}/3000000`);
  assert.equal(bytes.length, 3_000_000);
  // Each slice is at most as large as the bound was full before it: the bound is passed by no more than one for each that is sending.
  assert.ok(peak > 0 && peak <= most * 2, `${peak}`);
});
