/** The whole program among clients that are in no hurry: whoever else asks does not notice, and memory stays within its bound. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { platform } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { sampled } from '../../testing/depth.ts';
import { Program } from '../../testing/program.ts';
import { ServeProcess } from '../../testing/serve-process.ts';

const IDLE = 300;
const SLOW = sampled(12, 60);
const LARGE_BYTES = sampled(16, 64) * 1024 * 1024;
/** What docs/serve.md promises. */
const MOST_RESIDENT_BYTES = 250 * 1024 * 1024;

const program = new Program();
const sockets: Socket[] = [];
const large = Buffer.alloc(LARGE_BYTES);
for (let at = 0; at < large.length; at += 4096) large.writeUInt32LE(at, at);
let served: ServeProcess;

before(async () => {
  const source = program.path('mirror');
  mkdirSync(source);
  writeFileSync(join(source, 'large'), large);
  for (let file = 0; file < 100; file++) writeFileSync(join(source, `small${file}`), `text ${file}`);
  program.succeeds('add', source, '-q');
  served = await ServeProcess.start(program, '--listen', '127.0.0.1:0');
});
after(async () => {
  for (const socket of sockets) socket.destroy();
  await served.stop();
  program.dispose();
});

/** A connection that has sent `text`, and reads nothing by itself. */
async function opened(text: string): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port: Number(new URL(served.url).port), readableHighWaterMark: 1 } as never).pause();
  sockets.push(socket);
  socket.on('error', () => {});
  await once(socket, 'connect');
  if (text !== '') socket.write(text);
  return socket;
}

async function ordinaryRequests(): Promise<void> {
  for (let file = 0; file < 100; file++) {
    const answer = await fetch(`${served.url}/mirror/small${file}`);
    assert.equal(await answer.text(), `text ${file}`);
  }
  const whole = Buffer.from(await (await fetch(`${served.url}/mirror/large`)).arrayBuffer());
  const hash = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
  assert.equal(hash(whole), hash(large));
}

/** Of the server; undefined where the system does not say. */
function residentBytes(): number | undefined {
  if (platform() !== 'linux') return undefined;
  const [, kib] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${served.pid}/status`, 'latin1')) ?? [];
  return Number(kib) * 1024;
}

function assertSmall(): void {
  const bytes = residentBytes();
  if (bytes !== undefined) assert.ok(bytes <= MOST_RESIDENT_BYTES, `${bytes} bytes are resident`);
}

test('beside hundreds of connections on which nothing, or half a request, has come everybody else is answered', async () => {
  const begun = ['', 'GET /mirror/small1 HT', 'GET /mirror/small1 HTTP/1.1\r\nHost: x\r\n'];
  await Promise.all(Array.from({ length: IDLE }, (_, at) => opened(begun[at % begun.length] as string)));
  await ordinaryRequests();
  assert.equal((await fetch(`${served.url}/readyz`)).status, 200);
  assertSmall();
});

test('beside slow readers of large files everybody else is answered, in full', async () => {
  const slow = await Promise.all(Array.from({ length: SLOW }, () => opened('GET /mirror/large HTTP/1.1\r\nHost: x\r\n\r\n')));
  for (let round = 0; round < sampled(1, 3); round++) {
    await ordinaryRequests();
    // A byte each: they are slow, and not away.
    for (const socket of slow) socket.read(1);
    assertSmall();
  }
});
