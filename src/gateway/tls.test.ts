import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createPlainServer } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { RAW } from '../core/model.ts';
import { sha256 } from '../dag/cid.ts';
import { CERTIFICATES } from '../testing/certificates.ts';
import { GATEWAY_LIMITS } from './failure.ts';
import { Gateways } from './gateways.ts';

const bytes = Buffer.from('a block');
const block = { codec: RAW, digest: sha256(bytes) } as const;
const ca = CERTIFICATES.a.cert.toString();
const limits = { ...GATEWAY_LIMITS, firstPauseMs: 1 };

test('a gateway by TLS at an address is asked for no server name, and its certificate is for the address', async () => {
  const names: (string | false)[] = [];
  const warnings: Error[] = [];
  const warn = (warning: Error) => warnings.push(warning);
  process.on('warning', warn);
  const server = createServer(CERTIFICATES.a, (request, answer) => {
    names.push((request.socket as unknown as { servername: string | false }).servername);
    answer.end(bytes);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  for (const host of ['127.0.0.1', 'localhost']) {
    const gateways = new Gateways([{ url: `https://${host}:${port}`, ca }], { limits });
    assert.deepEqual(await gateways.block(block), bytes);
    gateways.close();
  }
  await new Promise(setImmediate);
  process.off('warning', warn);
  server.close();
  assert.deepEqual(names, [false, 'localhost']);
  assert.deepEqual(warnings, []);
});

test('that a gateway speaks no TLS is said in one line', async () => {
  const server = createPlainServer((_, answer) => answer.end(bytes));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  const gateways = new Gateways([{ url: `https://127.0.0.1:${port}` }], { limits });
  await assert.rejects(gateways.block(block), {
    code: 'TOO_FEW_PEERS',
    message: /^no gateway gives block bafk[^\n]*speak TLS[^\n]*http:\/\/[^\n]*$/,
  });
  gateways.close();
  server.close();
});
