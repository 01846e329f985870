import assert from 'node:assert/strict';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, test } from 'node:test';
import { ShardctlError } from '../../core/errors.ts';
import { onlyInAll } from '../../testing/depth.ts';
import { HttpClient } from '../http/client.ts';
import { ClusterApi } from './api.ts';
import { Health, type MemberKubo } from './health.ts';
import { Inventories } from './inventories.ts';
import type { MemberState, Metrics } from './metrics.ts';

const CIDS = ['bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354', 'bafybeiegvuterwurhdtkikfhbxcldohmxp566vpjdofhzmnhv6o4freidu'];

let server: Server;
let api: ClusterApi;
/** Lines of answers, by path. A server that has none for a path takes the request and is not heard of again. */
let routes: Record<string, readonly unknown[]>;
/** These answers never end. */
let endless: ReadonlySet<string>;
let asked: string[];

beforeEach(async () => {
  [routes, endless, asked] = [{}, new Set(), []];
  server = createServer((request, response: ServerResponse) => {
    const [path = ''] = (request.url ?? '').split('?');
    asked.push(path);
    const lines = routes[path];
    if (lines === undefined) return;
    response.writeHead(200);
    for (const line of lines) response.write(`${JSON.stringify(line)}\n`);
    if (!endless.has(path)) response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  api = new ClusterApi(new HttpClient({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, who: 'cluster "attic"' }));
});
afterEach(async () => {
  await api.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

/** A member's Kubo that has these shards pinned, or does not answer. */
function kubo(pinned: readonly string[] | undefined): MemberKubo {
  return {
    answers: async () => {
      if (pinned === undefined) throw new ShardctlError('TOO_FEW_PEERS', 'another Kubo');
    },
    list: async function* () {
      yield* pinned ?? [];
    },
  } as unknown as MemberKubo;
}

const healthOf = (kubos: Record<string, MemberKubo> = {}, now = () => 0) =>
  new Health({ api, kubos: new Map(Object.entries(kubos)), now, pauseMs: 1 });

const WELL = { id: 'well', peername: 'c1', ipfs: { id: 'k', error: '' } };
const NOT_TRIED = { id: 'back', error: 'failed to dial back: failed to dial: dial backoff' };

test('a member that the Cluster has not tried to reach is asked for again, until it is reached', async () => {
  routes['/peers'] = [NOT_TRIED, WELL];
  const answer = healthOf().ailing(['well', 'back']);
  while (asked.length < 3) await new Promise((resolve) => setTimeout(resolve, 1));
  routes['/peers'] = [{ ...WELL, id: 'back' }, WELL];
  assert.deepEqual([...(await answer)], []);
});

test('one that the Cluster does not try to reach for long ails, and one that it has tried in vain is not asked for again', async () => {
  routes['/peers'] = [NOT_TRIED, WELL];
  assert.match((await healthOf().ailing(['well', 'back'])).get('back')?.why ?? '', /does not answer: .*dial backoff/);
  assert.equal(asked.length, 11);
  asked = [];
  routes['/peers'] = [{ id: 'back', error: 'connection refused' }, WELL];
  assert.match((await healthOf().ailing(['well', 'back'])).get('back')?.why ?? '', /connection refused/);
  assert.equal(asked.length, 1);
});

test('a member ails when its daemon cannot be asked, or says that its Kubo does not answer', async () => {
  routes['/peers'] = [
    { id: 'well', peername: 'c1', ipfs: { id: 'k', error: '' } },
    { id: 'kubo', peername: 'c2', ipfs: { addresses: null, error: 'connection refused' } },
    { id: 'daemon', error: 'context deadline exceeded' },
  ];
  const ailing = await healthOf().ailing(['well', 'kubo', 'daemon']);
  assert.deepEqual(
    [...ailing],
    [
      ['kubo', { why: 'its Kubo does not answer: connection refused', hangs: false }],
      ['daemon', { why: 'its Cluster daemon does not answer: context deadline exceeded', hangs: false }],
    ],
  );
});

test('where the Kubo of a member is known, its own answer counts', async () => {
  routes['/peers'] = ['up', 'down'].map((id) => ({ id, ipfs: { error: id === 'up' ? 'refused from there' : '' } }));
  const ailing = await healthOf({ up: kubo([]), down: kubo(undefined) }).ailing(['up', 'down']);
  assert.deepEqual([...ailing], [['down', { why: 'another Kubo', hangs: false }]]);
});

test('the members that hang are those that have not answered when nothing more comes', { skip: onlyInAll() }, async () => {
  routes['/peers'] = [{ id: 'well' }];
  endless = new Set(['/peers']);
  const ailing = await healthOf().ailing(['well', 'frozen']);
  assert.deepEqual([...ailing.keys()], ['frozen']);
  assert.equal(ailing.get('frozen')?.hangs, true);
});

test('who has answered need not wait for others, is not asked again at once, and is not waited for when asked again', async () => {
  routes['/peers'] = [{ id: 'well' }];
  endless = new Set(['/peers']);
  let time = 0;
  const health = healthOf({}, () => time);
  await health.ailing(['well']);
  await health.ailing(['well']);
  assert.equal(asked.length, 1);
  time = 60_000;
  routes = {};
  assert.equal((await health.ailing(['well'])).size, 0);
  while (asked.length < 2) await new Promise((resolve) => setTimeout(resolve, 10));
});

test('while a member hangs, what each Kubo has of what the Cluster wants there is what its member holds', async () => {
  const pin = { name: '', mode: 'recursive', metadata: null };
  routes['/allocations'] = [
    { ...pin, cid: CIDS[0], allocations: ['a', 'frozen'], replication_factor_min: 2 },
    { ...pin, cid: CIDS[1], allocations: null, replication_factor_min: -1 },
  ];
  const state = { alive: true, freeBytes: 1, at: 0, tags: {} };
  const states = new Map<string, MemberState>([
    ['a', state],
    ['b', state],
    ['frozen', { ...state, alive: false, ailment: { why: 'it hangs', hangs: true } }],
  ]);
  const metrics = { all: async () => states } as unknown as Metrics;
  const inventories = new Inventories({
    api,
    metrics,
    kubos: new Map([['a', kubo([...CIDS])]]),
    nameOf: (id) => `lab.${id}`,
    now: () => 0,
  });
  assert.deepEqual([...(await inventories.of('a'))], CIDS);
  await assert.rejects(inventories.of('b'), {
    code: 'TOO_FEW_PEERS',
    retryable: true,
    message: /"lab\.b" holds is not known.*lab\.frozen, which hangs/,
  });
  await assert.rejects(inventories.of('frozen'), { code: 'TOO_FEW_PEERS', message: /it hangs/ });
  assert.ok(!asked.includes('/pins'), 'it would not answer');
});

test('a member of which the Cluster could not ask what it has has no list, the others have theirs', async () => {
  const on = (a: string, b: string) => ({ a: { status: a }, b: { status: b, error: b === 'pinned' ? '' : 'connection refused' } });
  routes['/pins'] = [
    { cid: CIDS[0], peer_map: on('pinned', 'cluster_error') },
    { cid: CIDS[1], peer_map: on('remote', 'cluster_error') },
  ];
  const metrics = { all: async () => new Map() } as unknown as Metrics;
  const inventories = new Inventories({ api, metrics, kubos: new Map(), nameOf: (id) => id, now: () => 0 });
  assert.deepEqual([...(await inventories.of('a'))], [CIDS[0]]);
  await assert.rejects(inventories.of('b'), { code: 'TOO_FEW_PEERS', message: /connection refused/ });
  assert.deepEqual([...(await inventories.anywhere())], [[CIDS[0], 1]]);
});
