import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, test } from 'node:test';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { CERTIFICATES } from '../../testing/certificates.ts';
import { passes } from './gate.ts';
import { type Incident, Listener, type ListenerOptions } from './listener.ts';

const listeners: Listener[] = [];
afterEach(async () => {
  for (const listener of listeners.splice(0)) await listener.drain(0);
});

/** A server that answers with the address it was asked for; `incidents` has what befell its connections. */
async function started(
  options: Partial<ListenerOptions> = {},
  answer = (request: IncomingMessage, response: ServerResponse) => void response.end(request.url),
) {
  const incidents: Incident[] = [];
  const listener = new Listener({
    handle: (request, response) => {
      if (passes(request, response)) answer(request, response);
    },
    certificate: undefined,
    mostConnections: 100,
    onIncident: (kind) => incidents.push(kind),
    ...options,
  });
  listeners.push(listener);
  const url = await listener.listen({ host: '127.0.0.1', port: 0 });
  return { listener, incidents, url, port: Number(new URL(url).port) };
}

/** Sends bytes as they are; all that comes back until the other side closes. */
async function exchange(port: number, text: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  socket.write(text, 'latin1');
  let answer = '';
  socket.setEncoding('latin1').on('data', (data: string) => {
    answer += data;
  });
  await once(socket, 'close');
  return answer;
}

const ask = (target: string, more = '') => `GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${more}\r\n`;
const statusOf = (answer: string) => Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1]);

describe('what is no request for a file is refused before it reaches a route', () => {
  const refused: readonly [string, string, number][] = [
    ['another method', 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n', 405],
    ['a method that nobody knows', 'BREW / HTTP/1.1\r\nHost: x\r\n\r\n', 400],
    ['CONNECT', 'CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n', Number.NaN],
    ['an address of more than 8 KiB', ask(`/${'a'.repeat(8192)}`), 414],
    ['a header of more than 16 KiB', ask('/', `X: ${'a'.repeat(20_000)}\r\n`), 431],
    ['a percent sign that begins no byte', ask('/a/%zz'), 400],
    ['half a byte', ask('/a/%4'), 400],
    ['a byte 0', ask('/a%00b'), 400],
    ['an address without a slash', ask('a'), 400],
    ['a body', ask('/', 'Content-Length: 1\r\n'), 413],
    ['a body in chunks', ask('/', 'Transfer-Encoding: chunked\r\n'), 413],
    ['a body with two lengths', ask('/', 'Content-Length: 0\r\nContent-Length: 5\r\n'), 400],
    ['a body with a length and in chunks', ask('/', 'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n'), 400],
    ['a header with a blank before its colon', ask('/', 'Content-Length : 5\r\n'), 400],
    ['a folded header', ask('/', 'X: a\r\n b\r\n Transfer-Encoding: chunked\r\n'), 400],
    ['no Host', 'GET / HTTP/1.1\r\n\r\n', 400],
    ['rubbish', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n', 400],
    ['HTTP/2 without TLS', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400],
  ];
  for (const [what, text, status] of refused) {
    test(what, async () => {
      const { port } = await started();
      assert.equal(statusOf(await exchange(port, text)), status);
    });
  }

  test('a body is not taken for the next request', async () => {
    let asked = 0;
    const { port } = await started({}, (_request, response) => {
      asked++;
      response.end();
    });
    const hidden = 'GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n';
    await exchange(port, `GET / HTTP/1.1\r\nHost: x\r\nContent-Length: ${hidden.length}\r\n\r\n${hidden}`);
    assert.equal(asked, 0);
  });

  test('405 says what is allowed, and OPTIONS says it to pages of other origins', async () => {
    const { url } = await started();
    const refusal = await fetch(url, { method: 'DELETE' });
    assert.deepEqual([refusal.status, refusal.headers.get('allow')], [405, 'GET, HEAD, OPTIONS']);
    const [ipfs, path] = [await fetch(`${url}/ipfs/x`, { method: 'OPTIONS' }), await fetch(`${url}/debian/`, { method: 'OPTIONS' })];
    assert.deepEqual([ipfs.status, ipfs.headers.get('access-control-allow-origin')], [204, '*']);
    assert.deepEqual([path.status, path.headers.get('access-control-allow-origin')], [204, null]);
  });
});

test('who can be answered at once waits for nobody, however many requests are worked on', async () => {
  let waiting = 0;
  const { port, listener } = await started(
    {
      mostConnections: 1000,
      answer: (request, response) => {
        if (request.url !== '/known') return false;
        response.end('at once');
        return true;
      },
    },
    () => void waiting++,
  );
  const others = Array.from({ length: 300 }, () => connect(port, '127.0.0.1').on('error', () => {}));
  while (listener.connections < 300) await new Promise(setImmediate);
  for (const other of others) other.write('GET /other HTTP/1.1\r\nHost: x\r\n\r\n');
  while (waiting < 256) await new Promise(setImmediate);
  assert.match(await exchange(port, ask('/known')), /at once$/);
  assert.equal(waiting, 256, 'the others wait');
  for (const other of others) other.destroy();
});

test('the absolute form, HTTP/1.0 and bytes beyond ASCII are understood', async () => {
  const { port } = await started();
  assert.match(await exchange(port, ask('http://x/a/b?c')), /\r\n\r\n\/a\/b\?c$/);
  assert.match(await exchange(port, ask('http://x')), /\r\n\r\n\/$/);
  assert.match(await exchange(port, 'GET /a HTTP/1.0\r\n\r\n'), /\r\n\r\n\/a$/);
  assert.match(await exchange(port, ask('/%ff%2f')), /\r\n\r\n\/%ff%2f$/);
});

test('answers come in the order of the requests; too many requests ahead of them end the connection, and no other', async () => {
  const held: (() => void)[] = [];
  const { port } = await started({}, (request, response) => {
    if (request.url === '/held') held.push(() => response.end('first'));
    else response.end('next');
  });
  const pipelined = connect(port, '127.0.0.1');
  pipelined.on('error', () => {});
  pipelined.write(`GET /held HTTP/1.1\r\nHost: x\r\n\r\n${ask('/')}`);
  while (held.length === 0) await new Promise(setImmediate);
  const flood = connect(port, '127.0.0.1');
  flood.on('error', () => {});
  flood.write('GET /held HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(1000));
  await once(flood.resume(), 'close');
  let answer = '';
  pipelined.setEncoding('latin1').on('data', (data: string) => {
    answer += data;
  });
  for (const end of held) end();
  await once(pipelined, 'close');
  assert.match(answer, /first(.|\s)*next/);
});

test('a connection has one request worked on at a time, however many were sent ahead', async () => {
  const held: (() => void)[] = [];
  const { port } = await started({}, (request, response) => void held.push(() => response.end(request.url)));
  const client = connect(port, '127.0.0.1');
  client.write('GET /1 HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(9) + ask('/last'));
  let answers = '';
  client.setEncoding('latin1').on('data', (data: string) => {
    answers += data;
  });
  for (let at = 1; at <= 10; at++) {
    while (held.length < at) await new Promise(setImmediate);
    await exchange(port, 'POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    assert.equal(held.length, at);
    held[at - 1]?.();
  }
  await once(client, 'close');
  assert.match(answers, /\/last$/);
});

test('streams of a few connections are no more requests at once than many connections are, and all are answered', async () => {
  const held: (() => void)[] = [];
  let most = 0;
  const options = { certificate: CERTIFICATES.a };
  const { port } = await started(options, (request, response) => {
    held.push(() => response.end(request.url));
    most = Math.max(most, held.length);
  });
  const sessions = Array.from({ length: 4 }, () => connectHttp2(`https://127.0.0.1:${port}`, { rejectUnauthorized: false }));
  const gone = sessions[0]?.request({ ':path': '/' });
  const ends = sessions.flatMap((session) =>
    Array.from({ length: 90 }, async () => await once(session.request({ ':path': '/' }).resume(), 'end')),
  );
  while (held.length < 256) await new Promise(setImmediate);
  gone?.close();
  await exchange2(sessions);
  // One whose client has left makes room for another.
  assert.ok(most <= 257, `${most} at once`);
  const all = Promise.all(ends);
  let isDone = false;
  void all.then(() => {
    isDone = true;
  });
  while (!isDone) {
    for (const end of held.splice(0)) end();
    await new Promise(setImmediate);
  }
  for (const session of sessions) session.destroy();
});

/** Each session has had an answer to a ping, so what was sent before has arrived. */
async function exchange2(sessions: readonly ClientHttp2Session[]): Promise<void> {
  for (const session of sessions) await new Promise<void>((resolve) => void session.ping(() => resolve()));
}

test('over the limit of connections a client is told that the server is busy, and those before it are served', async () => {
  const { port, incidents } = await started({ mostConnections: 2 });
  const open: Socket[] = [];
  for (let at = 0; at < 2; at++) {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await once(socket, 'data');
    open.push(socket);
  }
  const answer = await exchange(port, '');
  assert.match(answer, /^HTTP\/1\.1 503 (.|\s)*Retry-After/);
  assert.deepEqual(incidents, ['connection-refused']);
  open[0]?.write('GET /still HTTP/1.1\r\nHost: x\r\n\r\n');
  assert.match(String((await once(open[0] as Socket, 'data'))[0]), /\/still$/);
  for (const socket of open) socket.destroy();
});

test('a server that is to stop takes nobody new, finishes what is under way, and closes what is idle', async () => {
  const held: ServerResponse[] = [];
  const { listener, port } = await started({}, (request, response) => {
    if (request.url === '/held') held.push(response);
    else response.end('x');
  });
  const idle = connect(port, '127.0.0.1');
  idle.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  await once(idle, 'data');
  const busy = exchange(port, 'GET /held HTTP/1.1\r\nHost: x\r\n\r\n');
  while (held.length === 0) await new Promise(setImmediate);
  const drained = listener.drain(60_000);
  await once(idle.resume(), 'close');
  const [late] = await once(connect(port, '127.0.0.1'), 'error');
  assert.equal((late as NodeJS.ErrnoException).code, 'ECONNREFUSED');
  held[0]?.end('done');
  assert.match(await busy, /done$/);
  await drained;
});

test('what does not end in time is cut', async () => {
  const { listener, port } = await started({}, (_request, response) => void response.write('beginning'));
  const cut = exchange(port, ask('/'));
  while (listener.connections === 0) await new Promise(setImmediate);
  await listener.drain(100);
  assert.match(await cut, /beginning/);
});

test('with TLS it speaks HTTP/2 and HTTP/1.1, refuses the same, and new connections get the new certificate', async () => {
  const { listener, url, port } = await started({ certificate: CERTIFICATES.a });
  const subject = async () => {
    const socket: TLSSocket = connectTls({ port, host: '127.0.0.1', ALPNProtocols: ['http/1.1'], rejectUnauthorized: false });
    await once(socket, 'secureConnect');
    const { CN } = socket.getPeerCertificate().subject;
    socket.write(ask('/one'));
    assert.match(String((await once(socket, 'data'))[0]), /\/one$/);
    socket.destroy();
    return CN;
  };
  assert.equal(await subject(), 'a.test');
  const session = connectHttp2(url, { rejectUnauthorized: false });
  const status = async (headers: Record<string, string>) => {
    const stream = session.request(headers);
    const [answer] = (await once(stream, 'response')) as [{ ':status': number }];
    stream.resume();
    return answer[':status'];
  };
  assert.deepEqual(
    [await status({ ':path': '/two' }), await status({ ':path': '/%zz' }), await status({ ':path': '/', ':method': 'PUT' })],
    [200, 400, 405],
  );
  listener.renew(CERTIFICATES.b);
  assert.equal(await subject(), 'b.test');
  assert.throws(() => listener.renew({ cert: CERTIFICATES.a.cert, key: CERTIFICATES.b.key }), { code: 'BAD_CONFIG' });
  assert.equal(await subject(), 'b.test');
  session.close();
});

test('an address that is taken is said so, with what helps', async () => {
  const { port } = await started();
  const second = new Listener({ handle: () => {}, certificate: undefined, mostConnections: 1, onIncident: () => {} });
  await assert.rejects(second.listen({ host: '127.0.0.1', port }), {
    code: 'IO',
    message: new RegExp(`127\\.0\\.0\\.1:${port}`),
    hint: /ss -ltnp/,
  });
  await assert.rejects(second.listen({ host: '192.0.2.1', port: 0 }), { code: 'USAGE' });
});
