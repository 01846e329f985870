import assert from 'node:assert/strict';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { sha256 } from '../../dag/cid.ts';
import type { Extent } from '../../read/stored/stored-blocks.ts';
import { hashesEach } from '../../testing/hashes-each.ts';
import { readSmall, SMALL_BYTES } from './small-body.ts';
import { answerWhole, BodilessRequest, headerOf } from './whole-answer.ts';

/** Files one behind the other, each all of one byte. */
const FILES = 16;
const file = (name: number) => Buffer.alloc(SMALL_BYTES, name + 65);
const dir = mkdtempSync(join(tmpdir(), 'shardctl-whole-'));
writeFileSync(join(dir, 'car'), Buffer.concat(Array.from({ length: FILES }, (_, name) => file(name))));
const fd = openSync(join(dir, 'car'), 'r');

let headersByNode = 0;
let isLogged = false;
/** Whether the system has not taken all of the last answer. */
let isWaiting = false;
let last: WeakRef<IncomingMessage>;
/** Answers `/NAME/BYTES` with a part of a file, read into the buffer of `readSmall`, or `/copy/NAME/BYTES` from another buffer. */
const server = createServer({ IncomingMessage: BodilessRequest }, (request, response) => {
  last = new WeakRef(request);
  const [copy, name = 0, bytes = 0] = (request.url ?? '')
    .split('/')
    .slice(request.url?.startsWith('/copy') === true ? 1 : 0)
    .map(Number);
  const whole = file(Number(name)).subarray(0, Number(bytes));
  const extent = { file: { fd, ...hashesEach }, at: Number(name) * SMALL_BYTES, length: whole.length } as unknown as Extent;
  const body = Number.isNaN(copy) ? Buffer.from(whole) : (readSmall(extent, sha256(whole)) as Buffer);
  const writeHead = response.writeHead.bind(response);
  response.writeHead = (...args: unknown[]) => {
    headersByNode++;
    return writeHead(...(args as [number]));
  };
  answerWhole(request, response, {
    header: headerOf({ etag: `"${name}"`, 'content-length': String(bytes), 'x-name': 'ä' }),
    body,
    isLogged,
  });
  isWaiting = request.socket.writableLength > 0;
});
before(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
after(() => {
  server.close();
  closeSync(fd);
  rmSync(dir, { recursive: true });
});

const requestOf = (path: string, fields = '', version = '1.1') => `GET ${path} HTTP/${version}\r\nHost: here\r\n${fields}\r\n`;

/** A client that reads nothing before it is told to. */
class Client {
  readonly #socket = connect((server.address() as AddressInfo).port, '127.0.0.1').pause();

  /** Resolves when the server has answered. */
  async send(text: string): Promise<void> {
    const answered = once(server, 'request');
    this.#socket.write(text);
    await answered;
  }

  /** What the server has sent, to the end of the connection. */
  async read(): Promise<string> {
    const parts: Buffer[] = [];
    this.#socket.on('data', (part: Buffer) => parts.push(part)).resume();
    await once(this.#socket, 'end');
    this.#socket.destroy();
    return Buffer.concat(parts).toString('latin1');
  }

  /** Without waiting for the server to see it. */
  sendLast(text: string): void {
    this.#socket.write(text);
  }
}

async function sent(...texts: readonly string[]): Promise<string> {
  const client = new Client();
  for (const text of texts) await client.send(text);
  return await client.read();
}

const CLOSE = 'Connection: close\r\n';
const withoutDate = (text: string) => text.replace(/\r\nDate: [A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} [\d:]{8} GMT(?=\r\n)/g, '');

test('an answer in one piece is the one that Node gives, byte for byte; it gives one a second', async () => {
  const second = () => Math.floor(Date.now() / 1000);
  for (;;) {
    const began = second();
    headersByNode = 0;
    const text = await sent(requestOf('/3/5'), requestOf('/3/5'), requestOf('/copy/3/5'), requestOf('/3/5', CLOSE));
    if (second() !== began) continue;
    const answers = text.split(/(?=HTTP)/).map(withoutDate);
    const [first = '', ...others] = answers;
    assert.equal(
      first,
      'HTTP/1.1 200 OK\r\netag: "3"\r\ncontent-length: 5\r\nx-name: ä\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\n\r\nDDDDD',
    );
    assert.deepEqual(others, [first, first, first.replace('keep-alive\r\nKeep-Alive: timeout=5', 'close')]);
    assert.equal(text.match(/\r\nDate: /g)?.length, 4);
    assert.ok(headersByNode <= 2, 'of one for the second, and the one after which the connection ends');
    return;
  }
});

test('clients of HTTP/1.0 and who looks at the fields afterwards get the header by Node', async () => {
  await sent(requestOf('/3/5'), requestOf('/3/5', CLOSE));
  assert.match(await sent(requestOf('/3/5', '', '1.0')), /\r\nConnection: close\r\n\r\nDDDDD$/);
  isLogged = true;
  const text = await sent(requestOf('/3/5', CLOSE));
  isLogged = false;
  assert.match(text, /^HTTP\/1.1 200 OK\r\netag: "3"\r\ncontent-length: 5\r\nx-name: ä\r\nDate: .*\r\nConnection: close\r\n\r\nDDDDD$/);
});

test('what waits for a client is not written into by the next answers', async () => {
  headersByNode = 0;
  const clients = [new Client(), new Client(), new Client()];
  const asked: number[][] = [];
  for (const [first, client] of clients.entries()) {
    const names: number[] = [];
    asked.push(names);
    for (isWaiting = false; !isWaiting; ) {
      const name = (first + 3 * names.length) % FILES;
      names.push(name);
      await client.send(requestOf(`/${name}/${SMALL_BYTES}`));
    }
  }
  for (const client of clients) client.sendLast(requestOf('/0/1', CLOSE));
  assert.ok(headersByNode < asked.flat().length, 'some in one piece');
  for (const [at, client] of clients.entries()) {
    const bodies = (await client.read()).split(/HTTP\/1.1 200 OK\r\n(?:[^\r]+\r\n)+\r\n/).slice(1, -1);
    assert.equal(bodies.length, asked[at]?.length);
    for (const [number, body] of bodies.entries())
      assert.ok(Buffer.from(body, 'latin1').equals(file(asked[at]?.[number] as number)), `body ${number} of client ${at}`);
  }
});

test('of a connection that waits for its next request nothing of the last one is kept', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const client = new Client();
  headersByNode = 0;
  for (let asked = 0; headersByNode === asked; asked++) await client.send(requestOf('/3/5'));
  for (let turn = 0; turn < 5; turn++) await setImmediate();
  collect();
  assert.equal(last.deref(), undefined);
  client.sendLast(requestOf('/3/5', CLOSE));
  await client.read();
});

test('a value that can stand in no header is refused', () => {
  assert.throws(() => headerOf({ etag: 'a\r\nset-cookie: b' }), TypeError);
  assert.throws(() => headerOf({ 'e tag': 'a' }), TypeError);
  assert.throws(() => headerOf({ etag: '\u{100}' }), TypeError);
});
