/** Answers on connections of their own, from Node's own HTTP server. What liars send is in gateways.test.ts. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { type AddressInfo, createServer as createSocketServer } from 'node:net';
import { test } from 'node:test';
import { GATEWAY_LIMITS } from './failure.ts';
import { Connections } from './request.ts';

const BODY = randomBytes(3_000_000);
const limits = { ...GATEWAY_LIMITS, longBytes: 1 };

async function read(listener: RequestListener, work: (connections: Connections) => Promise<void>, by = limits): Promise<void> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  // By a name, which has two addresses where the system has IPv6.
  const connections = new Connections({ url: `http://user:50%off@localhost:${(server.address() as AddressInfo).port}/prefix` }, by);
  try {
    await work(connections);
  } finally {
    connections.close();
    server.closeAllConnections();
    server.close();
  }
}

async function bodyOf(connections: Connections): Promise<Buffer> {
  const answer = await connections.ask({ path: 'ipfs/x?a=b', bytes: BODY.length, headers: { range: 'bytes=0-' } });
  assert.equal(answer.status, 200);
  const pieces: Buffer[] = [];
  await answer.read(limits, undefined, (piece) => pieces.push(Buffer.from(piece)) > 0);
  return Buffer.concat(pieces);
}

test('a body is read that is counted, chunked, or ends with its connection', async () => {
  const ways: RequestListener[] = [
    (_, answer) => answer.setHeader('content-length', BODY.length).end(BODY),
    (_, answer) => {
      answer.writeEarlyHints({ link: '</x>; rel=preload' });
      for (let at = 0; at < BODY.length; at += 100_001) answer.write(BODY.subarray(at, at + 100_001));
      answer.end();
    },
    (_, answer) => {
      answer.useChunkedEncodingByDefault = false;
      answer.write(BODY);
      answer.end();
    },
  ];
  for (const way of ways) await read(way, async (connections) => assert.ok((await bodyOf(connections)).equals(BODY)));
});

test('a counted body is put where there is room for it; where sizes of chunks lie between its bytes nothing but these is', async () => {
  const ways: [listener: RequestListener, isCounted: boolean][] = [
    [(_, answer) => answer.setHeader('content-length', BODY.length).end(BODY), true],
    [
      (_, answer) => {
        answer.write(BODY.subarray(0, 1_000_000));
        answer.end(BODY.subarray(1_000_000));
      },
      false,
    ],
  ];
  for (const [way, isCounted] of ways) {
    await read(way, async (connections) => {
      const answer = await connections.ask({ path: 'ipfs/x', bytes: BODY.length });
      const whole = Buffer.alloc(BODY.length);
      let [at, inPlace] = [0, 0];
      const take = (piece: Buffer) => {
        if (piece.buffer === whole.buffer && piece.byteOffset === whole.byteOffset + at) inPlace += piece.length;
        else piece.copy(whole, at);
        at += piece.length;
        return true;
      };
      await answer.read(limits, undefined, take, (most) => whole.subarray(at, at + most));
      assert.ok(whole.equals(BODY));
      assert.equal(inPlace > BODY.length / 2, isCounted);
    });
  }
});

test('the request says who asks for what', async () => {
  const asked: unknown[] = [];
  await read(
    ({ url, method, headers }, answer) => {
      asked.push(url, method, headers.authorization, headers.range, /^localhost:\d+$/.test(headers.host ?? ''));
      answer.end(BODY);
    },
    async (connections) => void (await bodyOf(connections)),
  );
  assert.deepEqual(asked, ['/prefix/ipfs/x?a=b', 'GET', `Basic ${btoa('user:50%off')}`, 'bytes=0-', true]);
});

test('a stream that says at its end that it broke off is a failure', async () => {
  await read(
    (_, answer) => {
      answer.writeHead(200, { trailer: 'X-Stream-Error' });
      answer.write(BODY);
      answer.addTrailers({ 'X-Stream-Error': 'a block is missing' });
      answer.end();
    },
    async (connections) => await assert.rejects(bodyOf(connections), { kind: 'broken', message: 'a block is missing' }),
  );
});

test('what is aborted ends with its reason: before the headers, in the body, and between them', async () => {
  const server = createSocketServer((socket) => {
    socket.on('error', () => {});
    if (says) socket.write('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf');
  }).listen(0, '127.0.0.1');
  let says = false;
  await once(server, 'listening');
  const connections = new Connections({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }, limits);
  const ask = (signal: AbortSignal) => connections.ask({ path: '', bytes: 10, signal });
  const reason = new Error('stopped');
  const before = new AbortController();
  const coming = ask(before.signal);
  server.once('connection', () => before.abort(reason));
  await assert.rejects(coming, reason);
  says = true;
  const within = new AbortController();
  const body = (await ask(within.signal)).read(limits, within.signal, () => {
    setImmediate(() => within.abort(reason));
    return true;
  });
  await assert.rejects(body, reason);
  const between = new AbortController();
  const answer = await ask(between.signal);
  between.abort(reason);
  await assert.rejects(
    answer.read(limits, between.signal, () => true),
    reason,
  );
  server.close();
});

test('a gateway is not silent while its reader is held up', async () => {
  const patience = { ...limits, silenceMs: 200, windowMs: 200, leastBytesPerSecond: 1 };
  for (const longBytes of [1, BODY.length + 1])
    await read(
      (_, answer) => answer.end(BODY),
      async (connections) => {
        const answer = await connections.ask({ path: '', bytes: BODY.length });
        let bytes = 0;
        await answer.read(patience, undefined, (piece) => {
          // Such as by a disk that takes no more.
          if (bytes === 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 600);
          bytes += piece.length;
          return true;
        });
        assert.equal(bytes, BODY.length);
      },
      { ...limits, longBytes },
    );
});
