import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { fastify } from 'fastify';
import type { Peer, PeerContact } from '../../peer/peer.ts';
import { countedMirror } from '../../testing/counted-mirror.ts';
import type { MirrorView } from '../mirror.ts';
import { httpMultiaddr, multiaddrOfUrl, scopeOf, scopeOfIp } from './multiaddr.ts';
import { filtered, filtersOf, type PeerRecord } from './peer-record.ts';
import { type RoutingOptions, routingRoutes } from './routing-routes.ts';

const KUBO = '12D3KooWQYhTNQdmr3ArTeUHRYzFg94BKyTkoWBDWez9kSCVe2Xo';
const BLOCK = 'bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e';
const OTHER = 'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku';
const ADDRESSES = ['/ip4/127.0.0.1/tcp/4001', '/ip4/10.1.2.3/tcp/4001', '/ip4/203.0.113.7/udp/4001/quic-v1'];

interface Setting {
  readonly contacts?: () => Promise<readonly PeerContact[]>;
  readonly sees?: boolean;
  readonly routing?: Partial<RoutingOptions>;
}

function routerOver({ contacts = async () => [{ id: KUBO, addresses: ADDRESSES }], sees = true, routing = {} }: Setting = {}) {
  const peers = new Map([
    ['disk', { name: 'disk' } as Peer],
    ['kubo', { name: 'kubo', contacts } as unknown as Peer],
  ]);
  const placeOf = async (digest: Uint8Array) => (digest[0] === 0xb9 ? { cid: 'shard', peers: ['disk', 'kubo', 'gone'] } : undefined);
  const view = { peers, blocks: { placeOf } } as unknown as MirrorView;
  const { mirror, held } = countedMirror(view);
  const app = fastify();
  routingRoutes(app, { mirror, access: { sees: () => sees }, routing: { announced: undefined, home: 'h', ...routing } });
  const ask = async (url: string, headers: Record<string, string> = {}, remoteAddress = '127.0.0.1') =>
    await app.inject({ url, headers, remoteAddress });
  const providers = async (...args: Parameters<typeof ask>) => (await ask(...args)).json<{ Providers: PeerRecord[] }>().Providers;
  return { ask, providers, held };
}

suite('the router', () => {
  test('names itself and the holders of the shard, and is done with the view', async () => {
    const router = routerOver({ routing: { announced: ['/dns/mirror.example/tcp/443/tls/http'] } });
    const [itself, holder, ...rest] = await router.providers(`/routing/v1/providers/${BLOCK}`);
    assert.deepEqual(itself?.Addrs, ['/dns/mirror.example/tcp/443/tls/http']);
    assert.deepEqual(itself?.Protocols, ['transport-ipfs-gateway-http']);
    assert.match(itself?.ID ?? '', /^Qm/);
    assert.deepEqual(holder, { Schema: 'peer', ID: KUBO, Addrs: ADDRESSES, Protocols: ['transport-bitswap'] });
    assert.deepEqual([rest, router.held()], [[], 0]);
  });

  test('knows nobody for what is not here or not for this client, which is an answer', async () => {
    for (const [cid, sees] of [
      [OTHER, true],
      [BLOCK, false],
      ['bafkqaaa', true],
    ] as const) {
      const { ask } = routerOver({ sees });
      const json = await ask(`/routing/v1/providers/${cid}`);
      assert.deepEqual([json.statusCode, json.json()], [200, { Providers: [] }]);
      const lines = await ask(`/routing/v1/providers/${cid}`, { accept: 'application/x-ndjson' });
      assert.deepEqual([lines.statusCode, lines.payload], [200, '']);
    }
  });

  test('answers line by line where that is asked for, and refuses what is none of its questions', async () => {
    const { ask } = routerOver();
    const { payload, headers } = await ask(`/routing/v1/providers/${BLOCK}`, { accept: 'application/x-ndjson,application/json' });
    assert.match(String(headers['content-type']), /^application\/x-ndjson/);
    assert.deepEqual(
      payload
        .trimEnd()
        .split('\n')
        .map((line) => (JSON.parse(line) as PeerRecord).Schema),
      ['peer', 'peer'],
    );
    assert.equal((await ask('/routing/v1/providers/nonsense')).statusCode, 400);
    assert.equal((await ask(`/routing/v1/providers/${BLOCK}`, { accept: 'text/html' })).statusCode, 406);
    assert.equal((await ask('/routing/v1/ipns/k51')).statusCode, 404);
  });

  test('tells addresses only to those who can reach them', async () => {
    const { providers } = routerOver();
    const url = `/routing/v1/providers/${BLOCK}`;
    const addressesFor = async (address: string, headers = {}) => (await providers(url, headers, address))[1]?.Addrs;
    assert.deepEqual(await addressesFor('127.0.0.1'), ADDRESSES);
    assert.deepEqual(await addressesFor('192.168.3.4'), ADDRESSES.slice(1));
    assert.deepEqual(await addressesFor('198.51.100.9'), ADDRESSES.slice(2));
    assert.deepEqual(await addressesFor('127.0.0.1', { 'x-forwarded-for': '198.51.100.9' }), ADDRESSES.slice(2));
  });

  test('finds a peer by its ID, in each of its forms', async () => {
    const { ask, providers } = routerOver();
    const [itself] = await providers(`/routing/v1/providers/${BLOCK}`);
    for (const id of [KUBO, itself?.ID ?? '']) {
      const { Peers } = (await ask(`/routing/v1/peers/${id}`)).json<{ Peers: PeerRecord[] }>();
      assert.deepEqual(
        Peers.map(({ ID }) => ID),
        [id],
      );
    }
    assert.deepEqual((await ask(`/routing/v1/peers/${OTHER}`)).json(), { Peers: [] });
  });

  test('asks a holder once for many blocks, and goes on without one that is silent or fails', async () => {
    let asked = 0;
    const failing = routerOver({
      contacts: async () => {
        asked++;
        throw new Error('gone');
      },
    });
    for (let i = 0; i < 5; i++) assert.equal((await failing.providers(`/routing/v1/providers/${BLOCK}`)).length, 1);
    assert.equal(asked, 1);
    const hanging = routerOver({ contacts: () => new Promise(() => {}) });
    assert.equal((await hanging.providers(`/routing/v1/providers/${BLOCK}`)).length, 1);
  });
});

suite('filters', () => {
  const record: PeerRecord = {
    Schema: 'peer',
    ID: KUBO,
    Addrs: [...ADDRESSES, '/dns/a/tcp/443/tls/http'],
    Protocols: ['transport-bitswap'],
  };
  const pass = (query: string, of: PeerRecord = record) => filtered(of, filtersOf(new URLSearchParams(query)))?.Addrs;

  test('let through what the client can use', () => {
    assert.deepEqual(pass(''), record.Addrs);
    assert.deepEqual(pass('filter-protocols=transport-bitswap'), record.Addrs);
    assert.equal(pass('filter-protocols=transport-graphsync-filecoinv1,unknown'), undefined);
    assert.deepEqual(pass('filter-addrs=quic-v1'), [ADDRESSES[2]]);
    assert.deepEqual(pass('filter-addrs=!quic-v1,!tls'), ADDRESSES.slice(0, 2));
    assert.deepEqual(pass('filter-addrs=tcp,!ip4'), ['/dns/a/tcp/443/tls/http']);
    assert.equal(pass('filter-addrs=webrtc'), undefined);
    assert.deepEqual(pass('filter-addrs=unknown', { ...record, Addrs: [] }), []);
    assert.deepEqual(pass('filter-protocols=unknown', { ...record, Protocols: [] }), record.Addrs);
  });
});

suite('multiaddrs', () => {
  test('are made of sockets and URLs', () => {
    assert.equal(httpMultiaddr('::ffff:192.0.2.1', 80, false), '/ip4/192.0.2.1/tcp/80/http');
    assert.equal(httpMultiaddr('fe80::1%eth0', 80, true), '/ip6/fe80::1/tcp/80/tls/http');
    assert.equal(httpMultiaddr('', 80, true), undefined);
    assert.equal(multiaddrOfUrl('https://mirror.example'), '/dns/mirror.example/tcp/443/tls/http');
    assert.equal(multiaddrOfUrl('http://[2001:db8::1]:8080/'), '/ip6/2001:db8::1/tcp/8080/http');
    for (const none of ['mirror.example', 'ftp://a', 'https://a/b', 'https://u:p@a/', 'https://a/?b'])
      assert.equal(multiaddrOfUrl(none), undefined);
  });

  test('are sorted by who can reach them', () => {
    for (const [address, scope] of [
      ['127.8.8.8', 'machine'],
      ['::1', 'machine'],
      ['::ffff:127.0.0.1', 'machine'],
      ['10.0.0.1', 'network'],
      ['172.31.0.1', 'network'],
      ['172.32.0.1', 'everybody'],
      ['169.254.1.1', 'network'],
      ['fd00::1', 'network'],
      ['fe80::1', 'network'],
      ['2001:db8::1', 'everybody'],
    ] as const)
      assert.equal(scopeOfIp(address), scope, address);
    assert.equal(scopeOf('/dns4/mirror.example/tcp/4001'), 'everybody');
    assert.equal(scopeOf('/ip6zone/eth0/ip6/fe80::1/tcp/4001'), 'network');
  });
});
