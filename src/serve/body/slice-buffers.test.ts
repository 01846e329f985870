import assert from 'node:assert/strict';
import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { fastify } from 'fastify';
import { type FileAnswer, sendFile } from './send.ts';
import { SliceBuffers } from './slice-buffers.ts';

test('slices have the length that was asked for, and no two that are in use share bytes', () => {
  const step = fc.oneof(
    fc.record({ take: fc.oneof(fc.constantFrom(1, 16_384, 16_385, 65_536, 262_144), fc.integer({ min: 1, max: 300_000 })) }),
    fc.record({ give: fc.nat(5) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const buffers = new SliceBuffers();
      const inUse: Buffer[] = [];
      for (const one of steps) {
        if ('give' in one) {
          const [slice] = inUse.splice(one.give, 1);
          if (slice !== undefined) buffers.give(slice);
          continue;
        }
        const slice = buffers.take(one.take);
        assert.equal(slice.length, one.take);
        assert.ok(inUse.every((other) => other.buffer !== slice.buffer));
        inUse.push(slice);
      }
    }),
    { numRuns: 50 },
  );
});

/** More than the system takes for a connection whose client reads nothing for a moment. */
const BYTES = 16_000_000;
const CLIENTS = 6;

/** Each number is that of the client and of its place. */
function windowsOf(client: number): FileAnswer['windows'] {
  return async function* (from, to) {
    for (let at = from, end = at; at < to; at = end) {
      end = Math.min(to, at - (at % 500_000) + 500_000);
      const words = new Uint32Array(Math.ceil((end - at) / 4) + 1);
      const first = Math.floor(at / 4);
      for (let word = 0; word < words.length; word++) words[word] = client * 2 ** 24 + first + word;
      yield [new Uint8Array(words.buffer, at % 4, end - at)];
    }
  };
}

test('bodies of clients who pause, or leave, arrive as they are: a slice is used again only when the system has all of it', async () => {
  const app = fastify();
  app.get('/:client', async (request, reply) => {
    const windows = windowsOf(Number((request.params as { client: string }).client));
    await sendFile(reply, { status: 200, headers: { 'content-length': String(BYTES) }, from: 0, to: BYTES, windows });
    return reply;
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  after(() => {
    app.server.closeAllConnections();
    void app.close();
  });
  const { port } = app.server.address() as AddressInfo;
  const begun = async (client: number) => {
    const [response] = (await once(get(`http://127.0.0.1:${port}/${client}`, { agent: false }), 'response')) as [IncomingMessage];
    return { client, response: response.pause() };
  };
  const finish = async ({ client, response }: Awaited<ReturnType<typeof begun>>) => {
    const parts: Buffer[] = [];
    for await (const part of response) parts.push(part as Buffer);
    const body = Buffer.concat(parts);
    assert.equal(body.length, BYTES);
    for (let at = 0; at < BYTES; at += 4) if (body.readUInt32LE(at) !== client * 2 ** 24 + at / 4) assert.fail(`${client}: wrong at ${at}`);
  };
  const paused = await Promise.all(Array.from({ length: CLIENTS }, (_, client) => begun(client)));
  // One after the other to its end, while the others wait with what the system did not take.
  for (const one of paused) {
    if (one.client % 3 === 2) one.response.on('error', () => {}).destroy();
    else await finish(one);
    await finish(await begun(CLIENTS + one.client));
  }
});
