import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { after, before, beforeEach, describe, test } from 'node:test';
import { HttpClient, type HttpRequest } from './client.ts';
import { HttpError } from './error.ts';

type Handler = (request: IncomingMessage, response: ServerResponse, body: string) => void;

describe('http', () => {
  let server: Server;
  let url: string;
  let client: HttpClient;
  let handler: Handler;
  let seen: string[];

  before(async () => {
    server = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      seen.push(`${request.method} ${request.url}`);
      handler(request, response, Buffer.concat(chunks).toString());
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    client = new HttpClient({ url, who: 'peer "attic"' });
  });
  after(async () => {
    await client.close();
    server.closeAllConnections();
    server.close();
  });
  beforeEach(() => {
    seen = [];
  });

  const get: HttpRequest = { method: 'GET', path: 'x', what: 'asking' };
  const post = (text: string): HttpRequest => ({
    method: 'POST',
    path: 'x',
    what: 'sending',
    body: async function* () {
      yield Buffer.from(text);
    },
  });
  const linesOf = async (request = get) => {
    const values: unknown[] = [];
    for await (const value of (await client.request(request)).lines()) values.push(value);
    return values;
  };
  const failure = async (work: Promise<unknown>): Promise<HttpError> => {
    const error = await work.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    assert.ok(error instanceof HttpError, String(error));
    return error;
  };

  test('lines come out one by one, whatever the pieces are', async () => {
    handler = (_, response) => {
      for (const piece of ['{"a":1}\n{"b"', ':2}\n\n{"c":"ä', '"}\n']) response.write(piece);
      response.end();
    };
    assert.deepEqual(await linesOf(), [{ a: 1 }, { b: 2 }, { c: 'ä' }]);
  });

  test('an empty answer has no lines', async () => {
    handler = (_, response) => response.writeHead(204).end();
    assert.deepEqual(await linesOf(), []);
  });

  test('lines that end within a line were cut off', async () => {
    handler = (_, response) => response.end('{"a":1}\n{"b":');
    assert.match((await failure(linesOf())).message, /ends in the middle of a line/);
  });

  test('a connection that is cut within the answer is a failure', async () => {
    handler = (_, response) => {
      response.write('{"a":1}\n');
      setImmediate(() => response.socket?.destroy());
    };
    const error = await failure(linesOf());
    assert.equal(error.mayHaveActed, true);
    assert.equal(error.retryable, true);
  });

  test('an error in the trailer after a 200 is a failure, and says what the server says', async () => {
    handler = (_, response) => {
      response.writeHead(200, { trailer: 'X-Stream-Error' });
      response.write('{"a":1}\n');
      response.addTrailers({ 'X-Stream-Error': 'the pinset is on fire' });
      response.end();
    };
    assert.equal((await failure(linesOf())).said, 'the pinset is on fire');
  });

  test('a web page where JSON should be is named as one', async () => {
    handler = (_, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<html><title>Log in</title>');
    assert.match((await failure(client.json(get))).message, /web page/);
    handler = (_, response) => response.writeHead(500, { 'content-type': 'text/html' }).end('<html><title>Bad day</title>');
    assert.match((await failure(client.json(get))).message, /HTTP 500: a web page, "Bad day"/);
  });

  test('a server that says "not now" is asked again, when it says so', async () => {
    handler = (_, response) => {
      if (seen.length < 3) response.writeHead(seen.length === 1 ? 429 : 503, { 'retry-after': '0' }).end();
      else response.end('"done"');
    };
    assert.equal(await client.json(get), 'done');
    assert.equal(seen.length, 3);
    handler = (_, response) => response.writeHead(429, { 'retry-after': '100000' }).end();
    seen = [];
    assert.equal((await failure(client.json(get))).status, 429);
    assert.equal(seen.length, 1, 'who asks for a day gets none');
  });

  test('what was sent and may have worked is not sent again by itself', async () => {
    for (const answer of [
      (_: unknown, response: ServerResponse) => void response.socket?.destroy(),
      (_: unknown, response: ServerResponse) => void response.writeHead(502).end(),
    ]) {
      seen = [];
      handler = answer;
      assert.equal((await failure(client.request(post('body')))).mayHaveActed, true);
      assert.equal(seen.length, 1);
    }
  });

  test('a body is sent again where the server did not take it', async () => {
    const bodies: string[] = [];
    handler = (_, response, body) => {
      bodies.push(body);
      if (bodies.length === 1) response.writeHead(503, { 'retry-after': '0' }).end();
      else response.end('"done"');
    };
    assert.equal(await (await client.request(post('body'))).json(), 'done');
    assert.deepEqual(bodies, ['body', 'body']);
  });

  test('a redirect on the same server is followed with method, query and body; one that leads elsewhere is not', async () => {
    handler = (request, response, body) => {
      if (request.url === '/x?a=1') response.writeHead(307, { location: '/y' }).end();
      else response.end(JSON.stringify([request.method, request.url, body]));
    };
    const request = { ...post('body'), query: { a: 1 } };
    assert.deepEqual(await (await client.request(request)).json(), ['POST', '/y?a=1', 'body']);
    handler = (_, response) => response.writeHead(307, { location: 'http://127.0.0.2:1/z' }).end();
    assert.match((await failure(client.request(get))).message, /HTTP 307 to http:\/\/127\.0\.0\.2/);
  });

  test('credentials are sent, and are in no error', async () => {
    handler = (request, response) =>
      response
        .writeHead(401, { 'content-type': 'application/json' })
        .end(JSON.stringify({ Message: `no: ${request.headers.authorization}` }));
    for (const [options, sent] of [
      [{ token: 's3cret' }, 's3cret'],
      [{ user: 'u', password: 's3cret' }, Buffer.from('u:s3cret').toString('base64')],
      [{ url: url.replace('//', '//u:s3cret@') }, Buffer.from('u:s3cret').toString('base64')],
    ] as const) {
      let header: string | undefined;
      const inner = handler;
      handler = (request, response, body) => {
        header = request.headers.authorization;
        inner(request, response, body);
      };
      const own = new HttpClient({ url, who: 'peer "attic"', ...options });
      const error = await failure(own.json(get));
      await own.close();
      handler = inner;
      assert.ok(header?.includes(sent));
      assert.match(error.message, /refuses our credentials: HTTP 401: no: \w+ …/);
      for (const text of [error.message, error.said, own.address, JSON.stringify(error), String(error.stack)]) {
        assert.ok(!text.includes('s3cret') && !text.includes(sent), text);
      }
    }
    assert.throws(
      () => new HttpClient({ url: 'u:s3cret@nowhere', who: '' }),
      (error: Error) => !error.message.includes('s3cret'),
    );
  });

  test('a server that is not there is told from one that broke off', async () => {
    const nobody = new HttpClient({ url: 'http://127.0.0.1:1', who: 'peer "attic"' });
    const error = await failure(nobody.json(get));
    assert.equal(error.code, 'TOO_FEW_PEERS');
    assert.equal(error.mayHaveActed, false);
    assert.match(error.message, /^peer "attic" \(http:\/\/127\.0\.0\.1:1\) cannot be reached: connection refused$/);
    await nobody.close();
  });

  test('the hint for a server that is not there names the command that takes it out, if it is in the settings', async () => {
    const hintOf = async (settingsName?: string) => {
      const nobody = new HttpClient({ url: 'http://127.0.0.1:1', who: 'peer "attic"', settingsName });
      return (await failure(nobody.json({ ...get, repeatable: false })).finally(() => nobody.close())).hint;
    };
    assert.match((await hintOf('attic')) ?? '', /`shardctl peers rm attic --force`/);
    assert.equal(await hintOf(), 'is it running, and is the URL right?');
  });

  test('a server that stays silent is given up when its time is over, and not before', async () => {
    handler = (_, response) => void setTimeout(() => response.end('"late"'), 400);
    assert.equal(await client.json({ ...get, idleMs: 0 }), 'late');
    handler = () => {};
    assert.match((await failure(client.request({ ...get, repeatable: false, idleMs: 200 }))).message, /no sign of life/);
  });

  test('a server that drips is given up by a limit in all, silent as it never is', async (t) => {
    handler = (_, response) => {
      const dripping = setInterval(() => response.write(' '), 20);
      response.once('close', () => clearInterval(dripping));
    };
    // Each piece takes five seconds.
    let now = 0;
    t.mock.method(performance, 'now', () => (now += 5000));
    const error = await failure(client.json({ ...get, idleMs: 1000 }));
    assert.match(error.message, /its answer drips: 4 bytes in 20 s/);
    assert.equal(error.retryable, false);
    assert.equal(seen.length, 1);
    await assert.rejects(async () => {
      for await (const _ of (await client.request({ ...get, idleMs: 1000 })).lines());
    }, /its answer drips: 7 bytes in 35 s/);
  });

  test('headers that drip are no sign of life', async () => {
    const dripping = createTcpServer((socket) => {
      socket.on('error', () => {});
      socket.write('HTTP/1.1 200 OK\r\n');
      const drip = setInterval(() => socket.write('x: y\r\n'), 100);
      socket.once('close', () => clearInterval(drip));
    });
    await new Promise<void>((resolve) => dripping.listen(0, '127.0.0.1', resolve));
    const own = new HttpClient({ url: `http://127.0.0.1:${(dripping.address() as AddressInfo).port}`, who: 'peer "attic"' });
    try {
      assert.match((await failure(own.json({ ...get, idleMs: 300, repeatable: false }))).message, /no sign of life/);
    } finally {
      await own.close();
      dripping.close();
    }
  });

  test('an abort ends a request and the reading of its answer, with its own reason', async () => {
    const reason = new Error('enough');
    handler = () => {};
    const asking = new AbortController();
    const asked = client.request({ ...get, signal: asking.signal });
    setTimeout(() => asking.abort(reason), 50);
    await assert.rejects(asked, reason);
    handler = (_, response) => void response.write('{"a":1}\n');
    const reading = new AbortController();
    const lines = (await client.request({ ...get, signal: reading.signal })).lines();
    assert.deepEqual((await lines.next()).value, { a: 1 });
    reading.abort(reason);
    await assert.rejects(lines.next(), reason);
    await assert.rejects(client.request({ ...get, signal: reading.signal }), reason);
  });

  test('a server that was silent for as long as one request allowed is not given that long again, until it is heard', async () => {
    const patient = new HttpClient({ url, who: 'peer "attic"', promptMs: 300 });
    try {
      handler = () => {};
      assert.match((await failure(patient.json({ ...get, idleMs: 50 }))).message, /no sign of life/);
      assert.match((await failure(patient.json({ ...get, idleMs: 3_600_000 }))).message, /no sign of life/);
      handler = (_, response) => response.end('{}');
      await patient.json(get);
      handler = (_, response) => void setTimeout(() => response.end('{}'), 600);
      assert.deepEqual(await patient.json({ ...get, idleMs: 60_000 }), {});
    } finally {
      await patient.close();
    }
  });

  test('an upload that a proxy finds too large names the setting of the proxy', async () => {
    handler = (_, response) => response.writeHead(413, { 'content-type': 'text/html' }).end('<title>413 Request Entity Too Large</title>');
    const error = await failure(client.request(post('a shard')));
    assert.equal(error.code, 'TOO_FEW_PEERS');
    assert.match(error.message, /sending: HTTP 413: a web page, "413 Request Entity Too Large"/);
    assert.match(error.hint ?? '', /client_max_body_size/);
  });
});
