import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { bufferBody } from '../http/car-body.ts';
import { HttpClient } from '../http/client.ts';
import { ClusterApi } from './api.ts';
import type { Health } from './health.ts';
import { Metrics } from './metrics.ts';
import { pinnedOn, pinnedOnSome } from './pin-confirmation.ts';

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

const json =
  (value: unknown, status = 200): Answer =>
  (_, response) =>
    void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));

/** Answers that are given in turn, the last one again and again. */
function inTurn(...answers: Answer[]): Answer {
  let next = 0;
  return (request, response) => answers[Math.min(next++, answers.length - 1)]?.(request, response);
}

const CID = 'bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354';

let server: Server;
let routes: Record<string, Answer>;
let asked: string[];
let api: ClusterApi;
beforeEach(async () => {
  routes = {};
  asked = [];
  server = createServer((request, response) => {
    const [path = ''] = (request.url ?? '').split('?');
    asked.push(`${request.method} ${request.url}`);
    request
      .resume()
      .on('end', () => (routes[path] ?? json({ code: 404, message: 'pin is not part of the pinset' }, 404))(request, response));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  api = new ClusterApi(new HttpClient({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, who: 'cluster "attic"' }));
});
afterEach(async () => {
  await api.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const pin = { cid: CID, name: 'debian 1', mode: 'recursive', allocations: null, metadata: null, replication_factor_min: -1 };

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

describe('answers', () => {
  test('an empty list is a 204 without a body, a pin that is not there a 404', async () => {
    routes['/allocations'] = (_, response) => void response.writeHead(204).end();
    assert.deepEqual(await all(api.pins()), []);
    assert.equal(await api.pin(CID), undefined);
    await api.unpin(CID);
  });

  test('what Go leaves out is null: a pin everywhere has no allocations', async () => {
    routes['/allocations'] = (_, response) => void response.writeHead(200).end(`${JSON.stringify(pin)}\n`);
    assert.deepEqual(await all(api.pins()), [{ ...pin, allocations: [], metadata: {} }]);
  });

  test('the members are those whose pings count, by the names in them, whether their Kubo answers or not', async () => {
    const pings = { a: '{"peer_name":"c1","ipfs_id":"k1"}', b: '{"peer_name":"c2"}', met: '', odd: '[1]' };
    routes['/monitor/metrics/ping'] = json([
      ...Object.entries(pings).map(([peer, value]) => ({ name: 'ping', peer, value, valid: true, received_at: 1 })),
      { name: 'ping', peer: 'gone', value: '{"peer_name":"c3"}', valid: false, received_at: 1 },
    ]);
    assert.deepEqual(await api.members(), [
      { id: 'a', peername: 'c1', kuboId: 'k1' },
      { id: 'b', peername: 'c2', kuboId: '' },
    ]);
  });

  test('a list that breaks off, by its trailer or in the middle of a line, is a failure', async () => {
    routes['/allocations'] = (_, response) => {
      response.writeHead(200, { trailer: 'X-Stream-Error' });
      response.write(`${JSON.stringify(pin)}\n`);
      response.addTrailers({ 'X-Stream-Error': 'state is gone' });
      response.end();
    };
    await assert.rejects(all(api.pins()), { code: 'TOO_FEW_PEERS', message: /state is gone/ });
    routes['/allocations'] = (_, response) => void response.writeHead(200).end(JSON.stringify(pin).slice(0, 40));
    await assert.rejects(all(api.pins()), { code: 'TOO_FEW_PEERS', message: /middle of a line/ });
  });

  test('an answer of something else says whose it is not, and of what', async () => {
    routes[`/pins/${CID}`] = json({ hello: 'world' });
    await assert.rejects(api.status(CID), {
      code: 'TOO_FEW_PEERS',
      message: /cluster "attic" .* answers what no IPFS Cluster does: cid: /,
    });
    routes[`/pins/${CID}`] = (_, response) => void response.writeHead(200, { 'content-type': 'text/html' }).end('<title>Welcome</title>');
    await assert.rejects(api.status(CID), { code: 'TOO_FEW_PEERS', message: /web page/ });
  });

  test('an upload that ends well by its status and ill by its trailer is a failure, and is not sent again unless twice is once', async () => {
    routes['/add'] = (_, response) => {
      response.writeHead(200, { trailer: 'X-Stream-Error' });
      response.addTrailers({ 'X-Stream-Error': 'not enough peers to allocate CID' });
      response.end();
    };
    const options = { name: 'n', metadata: {}, members: ['a', 'b'], what: 'uploading n', repeatable: false };
    await assert.rejects(api.add(bufferBody(Buffer.from('car')), options), { message: /not enough peers to allocate/ });
    assert.equal(asked.length, 1);
  });

  test('an upload names the members, as many replicas as members, and what is known of the shard', async () => {
    routes['/add'] = (_, response) => void response.writeHead(200).end(`${JSON.stringify({ cid: CID, allocations: ['b', 'a'] })}\n`);
    const options = { name: 'debian 1', metadata: { 'shardctl-bytes': '7' }, members: ['a', 'b'], what: 'uploading n', repeatable: false };
    assert.deepEqual(await api.add(bufferBody(Buffer.from('car')), options), ['b', 'a']);
    const query = new URL(asked[0]?.split(' ')[1] ?? '', 'http://x').searchParams;
    assert.deepEqual(Object.fromEntries(query), {
      format: 'car',
      name: 'debian 1',
      'meta-shardctl-bytes': '7',
      'user-allocations': 'a,b',
      'replication-min': '2',
      'replication-max': '2',
    });
  });
});

test('a server of its own certificate is trusted when that is given, and the right password gets in', async () => {
  const key = (name: string) => readFileSync(new URL(`../../../../fixtures/tls/${name}.pem`, import.meta.url), 'utf8');
  const secure = createSecureServer({ key: key('key'), cert: key('cert') }, (request, response) => {
    const isIn = request.headers.authorization === `Basic ${Buffer.from('admin:secret').toString('base64')}`;
    json(isIn ? ['ping'] : { code: 401, message: 'unauthorized: access denied' }, isIn ? 200 : 401)(request, response);
  });
  await new Promise<void>((resolve) => secure.listen(0, '127.0.0.1', resolve));
  const url = `https://127.0.0.1:${(secure.address() as AddressInfo).port}`;
  const namesBy = async (options: { ca?: string; password?: string }) => {
    const client = new HttpClient({ url, who: 'cluster "attic"', user: 'admin', ...options });
    return await new ClusterApi(client).metricNames().finally(() => client.close());
  };
  try {
    assert.deepEqual(await namesBy({ ca: key('cert'), password: 'secret' }), ['ping']);
    await assert.rejects(namesBy({ password: 'secret' }), { code: 'TOO_FEW_PEERS', message: /cannot be trusted/ });
    await assert.rejects(namesBy({ ca: key('cert'), password: 'wrong' }), (error: Error) => {
      assert.match(error.message, /refuses our credentials: HTTP 401: unauthorized: access denied/);
      assert.doesNotMatch(error.message, /wrong/);
      return true;
    });
  } finally {
    secure.closeAllConnections();
    await new Promise((resolve) => secure.close(resolve));
  }
});

describe('waiting for pins', () => {
  const statuses = (map: Record<string, string | [string, string]>): Answer =>
    json({
      cid: CID,
      peer_map: Object.fromEntries(
        Object.entries(map).map(([id, it]) => [
          id,
          { status: typeof it === 'string' ? it : it[0], error: typeof it === 'string' ? '' : it[1] },
        ]),
      ),
    });
  const options = { now: Date.now, stallMs: 60 };

  test('a member has pinned when it says so, whatever it said before', async () => {
    routes[`/pins/${CID}`] = inTurn(
      statuses({ a: 'pinned' }),
      statuses({ a: 'pinned', b: 'unexpectedly_unpinned' }),
      statuses({ a: 'pinned', b: 'pinning' }),
      statuses({ a: 'pinned', b: 'pinned' }),
    );
    await pinnedOn(api, CID, 'b', options);
    assert.equal(asked.length, 4);
  });

  test('a pin that fails says why', async () => {
    routes[`/pins/${CID}`] = inTurn(statuses({ a: 'pinning' }), statuses({ a: ['pin_error', 'block was not\nfound'] }));
    await assert.rejects(pinnedOn(api, CID, 'a', options), {
      code: 'TOO_FEW_PEERS',
      retryable: true,
      message: /pin_error: block was not found/,
    });
  });

  test('a pin on which nothing happens is given up, one that is under way is not', async () => {
    routes[`/pins/${CID}`] = statuses({ a: 'cluster_error', b: 'remote' });
    await assert.rejects(pinnedOn(api, CID, 'a', options), {
      code: 'TOO_FEW_PEERS',
      message: /nothing has happened .*cluster_error remote/,
    });
    routes[`/pins/${CID}`] = inTurn(...Array.from({ length: 5 }, () => statuses({ a: 'pinning' })), statuses({ a: 'pinned' }));
    await pinnedOn(api, CID, 'a', { ...options, stallMs: 1 });
  });

  test('some of the members are enough, until too few can still do it', async () => {
    routes[`/pins/${CID}`] = inTurn(
      statuses({ a: 'pinned', b: 'pinning', c: ['pin_error', 'full'], d: 'remote' }),
      statuses({ a: 'pinned', b: 'pinned', c: ['pin_error', 'full'], d: 'remote' }),
    );
    await pinnedOnSome(api, CID, 2, options);
    routes[`/pins/${CID}`] = statuses({ a: 'pinned', b: 'pinning', c: ['pin_error', 'full'], d: 'remote' });
    await assert.rejects(pinnedOnSome(api, CID, 3, options), { message: /1 of 3 members have it; pin_error: full/ });
  });

  test('an interruption ends the wait', async () => {
    routes[`/pins/${CID}`] = statuses({ a: 'pinning' });
    await assert.rejects(pinnedOn(api, CID, 'a', { ...options, signal: AbortSignal.timeout(50) }), { name: 'TimeoutError' });
  });
});

describe('metrics', () => {
  /** As the API gives them: name → member → value, or null for one that is not valid. */
  function heard(values: Record<string, Record<string, string | null>>): void {
    routes['/monitor/metrics'] = json([...Object.keys(values), 'pinqueue']);
    for (const [name, by] of Object.entries(values)) {
      routes[`/monitor/metrics/${encodeURIComponent(name)}`] = json(
        Object.entries(by).map(([peer, value]) => ({
          name,
          peer,
          value: value ?? '0',
          valid: value !== null,
          received_at: 1795262959806730200,
        })),
      );
    }
  }
  const well = { ailing: async () => new Map() };
  const metricsOf = (expected: string[], startWaitMs = 0, health: Pick<Health, 'ailing'> = well) =>
    new Metrics({ api, expected, health, startWaitMs, now: () => 1795262960000 });

  test('free space, tags and signs of life come from three kinds of metrics', async () => {
    heard({ freespace: { a: '1000', b: '2000' }, ping: { a: '', b: '' }, 'tag:zone': { a: 'z1' }, 'tag:group': { a: 'default' } });
    const metrics = metricsOf(['a', 'b']);
    assert.deepEqual(await metrics.of('a'), {
      alive: true,
      freeBytes: 1000,
      at: 1795262959806.7302,
      tags: { zone: 'z1', group: 'default' },
    });
    assert.deepEqual((await metrics.of('b')).tags, {});
  });

  test('free space that is absent, not valid, or absurd is unknown, and neither nothing nor endless', async () => {
    heard({ freespace: { a: null, b: '18446744073709551615', c: '-1', d: 'plenty' }, ping: { a: '', b: '', c: '', d: '', e: '' } });
    const states = await metricsOf([]).all();
    assert.deepEqual(
      ['a', 'b', 'c', 'd', 'e'].map((id) => states.get(id)?.freeBytes),
      Array(5).fill(undefined),
    );
  });

  test('a member of which nothing was heard yet is waited for, one that is known to be silent or full is not', async () => {
    heard({ freespace: { a: '1000' }, ping: { a: '', full: '' }, 'tag:zone': { full: 'z1' } });
    routes['/health/alerts'] = json([{ name: 'ping', peer: 'dead' }]);
    const before = asked.length;
    await metricsOf(['a', 'full', 'dead'], 60_000).all();
    assert.equal(asked.slice(before).filter((line) => line.endsWith('/freespace')).length, 1);

    routes['/health/alerts'] = inTurn(json([]), (request, response) => {
      heard({ freespace: { a: '1', late: '2' }, ping: { a: '', late: '' } });
      json(null)(request, response);
    });
    assert.equal((await metricsOf(['a', 'late'], 60_000).of('late')).freeBytes, 2);
  });

  test('a member that sends pings and ails is not alive; nobody asks about those that are no peers', async () => {
    heard({ freespace: { ours: '1', ill: '1', theirs: '1' }, ping: { ours: '', ill: '', theirs: '' } });
    routes['/health/alerts'] = json([{ name: 'ping', peer: 'away' }]);
    let about: readonly string[] = [];
    const ailment = { why: 'its Kubo does not answer', hangs: false };
    const ailing = async (ids: readonly string[]) => {
      about = ids;
      return new Map([['ill', ailment]]);
    };
    const states = await metricsOf(['ours', 'ill', 'away'], 0, { ailing }).all();
    assert.deepEqual(about, ['ours', 'ill']);
    assert.deepEqual(
      ['ours', 'ill', 'theirs'].map((id) => states.get(id)?.alive),
      [true, false, true],
    );
    assert.deepEqual(states.get('ill')?.ailment, ailment);
  });
});
