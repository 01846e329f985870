import assert from 'node:assert/strict';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { RAW } from '../../core/model.ts';
import { cidText, sha256 } from '../../dag/cid.ts';
import { HttpClient } from '../http/client.ts';
import { gatewayUrls, ownGateway } from './own-gateway.ts';
import { KuboRpc } from './rpc.ts';

const ROOT = Buffer.from('the root of a shard');
const CID = cidText({ codec: RAW, digest: sha256(ROOT) }, 1);

test('a gateway is asked on the machine of the RPC alone, and only where it listens to whoever reaches that', () => {
  const near = ['/ip4/127.0.0.1/tcp/8080', '/ip6/::1/tcp/8081'];
  for (const [listens, rpc, urls] of [
    ['/ip4/127.0.0.1/tcp/8080', 'http://127.0.0.1:5001', ['http://127.0.0.1:8080']],
    ['/ip4/127.0.0.1/tcp/8080', 'http://localhost:5001/api/v0', ['http://127.0.0.1:8080']],
    ['/dns4/localhost/tcp/8080', 'http://[::1]:5001', ['http://127.0.0.1:8080']],
    [near, 'http://127.0.0.1:5001', ['http://127.0.0.1:8080', 'http://[::1]:8081']],
    [near, 'http://10.0.0.7:5001', []],
    ['/ip4/0.0.0.0/tcp/8080', 'http://10.0.0.7:5001', ['http://10.0.0.7:8080']],
    ['/ip4/0.0.0.0/tcp/8080', 'http://localhost:5001', ['http://127.0.0.1:8080']],
    ['/ip6/::/tcp/8080/http', 'http://kubo:5001', ['http://kubo:8080']],
    ['/ip4/10.0.0.7/tcp/8080', 'http://10.0.0.7:5001', ['http://10.0.0.7:8080']],
    ['/ip4/10.0.0.8/tcp/8080', 'http://10.0.0.7:5001', []],
    ['/ip4/169.254.169.254/tcp/80', 'http://127.0.0.1:5001', []],
    ['/ip4/127.0.0.1/tcp/8080', 'https://127.0.0.1:5001', []],
    ['/ip4/127.0.0.1/tcp/99999', 'http://127.0.0.1:5001', []],
    ['/ip4/127.0.0.1/tcp/0', 'http://127.0.0.1:5001', []],
    ['/ip4/127.0.0.1/udp/8080', 'http://127.0.0.1:5001', []],
    ['/unix/run/gateway.sock', 'http://127.0.0.1:5001', []],
    [[], 'http://127.0.0.1:5001', []],
    [['', null, { a: 1 }], 'http://127.0.0.1:5001', []],
    [undefined, 'http://127.0.0.1:5001', []],
  ] as const)
    assert.deepEqual(gatewayUrls(listens, rpc), urls, `${JSON.stringify(listens)} ${rpc}`);
});

for (const [what, answer, isUsed] of [
  ['gives the root of the shard', (response) => void response.end(ROOT), true],
  ['gives other bytes', (response) => void response.end('other bytes'), false],
  ['does not have it', (response) => void response.writeHead(412).end(), false],
  ['leads elsewhere', (response) => void response.writeHead(301, { location: 'http://example.org/' }).end(), false],
  ['falls silent', (response) => void response.writeHead(200, { 'content-length': 100 }).write('a'), false],
] satisfies [string, (response: Parameters<RequestListener>[1]) => void, boolean][]) {
  test(`what answers as the gateway ${what}: it is ${isUsed ? 'used' : 'left alone'}`, async (t) => {
    const asked: string[] = [];
    const port = await served(t, (request, response) => {
      asked.push(`${request.url} ${request.headers['cache-control']}`);
      answer(response);
    });
    const rpc = await rpcSaying(t, 200, { Value: [`/ip4/127.0.0.1/tcp/${port}`] });
    // On a busy machine an answer may take its time; the one that never comes need not be waited for.
    const gateway = await ownGateway(rpc, CID, what === 'falls silent' ? 200 : 60_000);
    t.after(() => gateway?.close());
    assert.deepEqual(asked, [`/ipfs/${CID}?format=raw only-if-cached`]);
    assert.equal(gateway?.plainFile(CID).url, isUsed ? `http://127.0.0.1:${port}/ipfs/${CID}` : undefined);
  });
}

test('where the RPC does not say, or nobody listens, there is no gateway', async (t) => {
  assert.equal(await ownGateway(await rpcSaying(t, 403, 'this token may not'), CID), undefined);
  assert.equal(await ownGateway(await rpcSaying(t, 500, { Message: 'no such key', Type: 'error' }), CID), undefined);
  assert.equal(await ownGateway(await rpcSaying(t, 200, { Value: '/ip4/127.0.0.1/tcp/1' }), CID), undefined);
});

async function rpcSaying(t: TestContext, status: number, said: unknown): Promise<KuboRpc> {
  const port = await served(t, (_request, response) => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(said));
  });
  const http = new HttpClient({ url: `http://127.0.0.1:${port}`, who: 'the daemon' });
  t.after(() => http.close());
  return new KuboRpc(http);
}

async function served(t: TestContext, listener: RequestListener): Promise<number> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}
