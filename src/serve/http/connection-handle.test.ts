import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { platform } from 'node:os';
import { test } from 'node:test';
import { handleOf, limitUnsent } from './connection-handle.ts';

const BYTES = 64 * 1024 * 1024;

/** Of a write of 64 MiB, what the system takes for a client that reads nothing. */
async function takenBySystem(prepare: (socket: Socket) => void): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1').pause();
  const [socket] = (await once(server, 'connection')) as [Socket];
  try {
    for (const side of [client, socket]) side.on('error', () => {});
    prepare(socket);
    socket.write(Buffer.alloc(BYTES));
    let taken = -1;
    for (let same = 0; same < 100; same++) {
      await new Promise(setImmediate);
      const now = BYTES - (handleOf(socket).writeQueueSize ?? 0);
      if (now !== taken) same = 0;
      taken = now;
    }
    return taken;
  } finally {
    client.destroy();
    socket.destroy();
    server.close();
  }
}

test('the system takes less than half of what it would take for a client that reads nothing', {
  skip: platform() !== 'linux',
}, async () => {
  const [limited, unlimited] = [await takenBySystem(limitUnsent), await takenBySystem(() => {})];
  assert.ok(limited * 2 < unlimited, `${limited} of ${unlimited} bytes`);
});

test('of a connection that has ended nothing is known, and nothing is asked of the system', async () => {
  const socket = connect(1, '127.0.0.1').on('error', () => {});
  socket.destroy();
  limitUnsent(socket);
  assert.deepEqual(handleOf(socket), {});
});
