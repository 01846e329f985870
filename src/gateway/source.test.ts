import assert from 'node:assert/strict';
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { encode } from '@ipld/dag-cbor';
import { base32 } from 'multiformats/bases/base32';
import { base36 } from 'multiformats/bases/base36';
import { base58btc } from 'multiformats/bases/base58';
import { ShardctlError } from '../core/errors.ts';
import { RAW } from '../core/model.ts';
import { cidText, sha256 } from '../dag/cid.ts';
import { HostileGateway, type HostileGatewayOptions } from '../testing/hostile-gateway.ts';
import { GATEWAY_LIMITS } from './failure.ts';
import { openIpnsRecord } from './ipns-record.ts';
import { providersIn } from './providers.ts';
import { resolveSource } from './source.ts';
import { readSourceText } from './source-text.ts';

const NOW = Date.parse('2026-01-01T00:00:00Z');
const CID = cidText({ codec: RAW, digest: sha256(Buffer.from('a')) }, 1);
const limits = { ...GATEWAY_LIMITS, silenceMs: 200, windowMs: 200, firstPauseMs: 10 };

function field(number: number, bytes: Uint8Array): Buffer {
  const length = bytes.length < 128 ? [bytes.length] : [(bytes.length & 127) | 128, bytes.length >> 7];
  return Buffer.concat([Buffer.from([number * 8 + 2, ...length]), bytes]);
}

function keyOf(publicKey: KeyObject): { message: Buffer; name: string } {
  const raw = Buffer.from((publicKey.export({ format: 'jwk' }) as { x: string }).x, 'base64url');
  const message = Buffer.concat([Buffer.from([8, 1]), field(2, raw)]);
  return { message, name: base36.encode(Buffer.concat([Buffer.from([1, 0x72, 0, message.length]), message])) };
}

function recordOf(privateKey: KeyObject, value: string, until = '2026-01-02T00:00:00.000000000Z', sequence = 1): Buffer {
  const data = Buffer.from(
    encode({ Value: Buffer.from(value), Validity: Buffer.from(until), ValidityType: 0, Sequence: sequence, TTL: 3600_000_000_000 }),
  );
  const signature = sign(null, Buffer.concat([Buffer.from('ipns-signature:'), data]), privateKey);
  return Buffer.concat([field(1, Buffer.from(value)), field(8, signature), field(9, data)]);
}

/** A server that is stopped when the test ends, also when it fails. */
async function started(t: TestContext, options: HostileGatewayOptions): Promise<HostileGateway> {
  const server = await HostileGateway.start(options);
  t.after(() => server.stop().catch(() => {}));
  return server;
}

const pair = generateKeyPairSync('ed25519');
const { name } = keyOf(pair.publicKey);

test('a record says what its key has signed', () => {
  const record = openIpnsRecord(name, recordOf(pair.privateKey, `/ipfs/${CID}`, undefined, 300), NOW);
  assert.deepEqual([record.value, record.sequence], [`/ipfs/${CID}`, 300n]);
});

test('a record with any bit changed, of another key, or too old is damage', () => {
  const record = recordOf(pair.privateKey, `/ipfs/${CID}`);
  for (let at = 2 + `/ipfs/${CID}`.length; at < record.length; at++) {
    const changed = Buffer.from(record);
    changed[at] = (changed[at] as number) ^ 1;
    assert.throws(() => openIpnsRecord(name, changed, NOW), ShardctlError, `byte ${at}`);
  }
  const { name: other } = keyOf(generateKeyPairSync('ed25519').publicKey);
  assert.throws(() => openIpnsRecord(other, record, NOW), /signature/);
  assert.throws(() => openIpnsRecord(name, record, Date.parse('2026-01-03T00:00:00Z')), /valid until/);
  for (let length = 0; length < record.length; length++)
    assert.throws(() => openIpnsRecord(name, record.subarray(0, length), NOW), ShardctlError);
});

test('of the records that several gateways give, the newest counts, and a false one does not', async (t) => {
  const records = [
    recordOf(pair.privateKey, '/ipfs/bad', undefined, 1),
    Buffer.from('nonsense'),
    recordOf(pair.privateKey, `/ipfs/${CID}/a`, undefined, 2),
  ];
  const servers = await Promise.all(
    records.map((body) => started(t, { truth: () => ({ status: 200, headers: { 'content-length': String(body.length) }, body }) })),
  );
  const via = servers.map(({ url }) => url);
  const source = await resolveSource(`/ipns/${name}/b`, { via, now: NOW, limits });
  assert.deepEqual([cidText(source.root, 1), source.path], [CID, 'a/b']);
});

test('a name that no gateway finds is not found; where one cannot say, it may be there', async (t) => {
  const answering = (status: number, text: string) => started(t, { truth: () => ({ status, headers: {}, body: Buffer.from(text) }) });
  const [kubo, other] = [await answering(500, 'routing: not found'), await answering(404, '')];
  const broken = await answering(500, 'out of order');
  const ask = (...of: HostileGateway[]) => resolveSource(`/ipns/${name}`, { via: of.map(({ url }) => url), now: NOW, limits });
  await assert.rejects(ask(kubo, other), { code: 'NOT_FOUND', message: new RegExp(`${name}: ${kubo.url}, ${other.url}$`) });
  await assert.rejects(ask(kubo, broken), { code: 'TOO_FEW_PEERS', message: /HTTP 500/ });
});

test('a serve that is down is named, with what nobody else can say in its place', async (t) => {
  const [down, via] = [await started(t, { truth: never }), await started(t, { truth: never })];
  const source = `${down.url}/debian`;
  await down.stop();
  const { code, message } = await resolveSource(source, { via: [via.url], now: NOW, limits }).then(
    () => assert.fail('it is down'),
    (error: ShardctlError) => error,
  );
  assert.equal(code, 'TOO_FEW_PEERS');
  assert.match(message, /SRC cannot be asked for its snapshots: .*connection refused\. Nothing was read instead$/);
});

const never = (): never => assert.fail('it is not asked');

test('a DNSLink is what DNS says, and may lead to a key', async (t) => {
  const body = recordOf(pair.privateKey, `/ipfs/${CID}`);
  const server = await started(t, { truth: () => ({ status: 200, headers: {}, body }) });
  const lookUp = async (host: string) => (host === '_dnslink.example.org' ? ['v=spf1', `dnslink=/ipns/${name}`] : []);
  const source = await resolveSource('/ipns/example.org', { via: [server.url], now: NOW, limits, lookUp });
  assert.equal(cidText(source.root, 1), CID);
  await assert.rejects(
    resolveSource('/ipns/example.org', { via: [server.url], now: NOW, limits, lookUp: async () => ['dnslink=/ipns/example.org'] }),
    /from name to name/,
  );
});

test('a gateway is asked where a name leads to when DNS says that it has no link, and not when DNS does not answer', async (t) => {
  const headers = { 'x-ipfs-roots': CID, 'content-length': '0' };
  const server = await started(t, { truth: () => ({ status: 200, headers, body: Buffer.alloc(0) }) });
  const resolved = (code: string) => {
    const lookUp = () => Promise.reject(Object.assign(new Error(`queryTxt ${code} example.org`), { code }));
    return resolveSource('/ipns/example.org', { via: [server.url], now: NOW, limits, lookUp });
  };
  for (const code of ['ESERVFAIL', 'ETIMEOUT', 'EREFUSED']) await assert.rejects(resolved(code), { code: 'TOO_FEW_PEERS', message: /DNS/ });
  assert.deepEqual(server.seen, []);
  for (const code of ['ENOTFOUND', 'ENODATA']) assert.equal(cidText((await resolved(code)).root, 1), CID);
});

test('a name of which neither DNS nor a gateway knows a link is not found; where a gateway cannot say, it may be there', async (t) => {
  const answering = (status: number, text: string) => started(t, { truth: () => ({ status, headers: {}, body: Buffer.from(text) }) });
  const kubo = await answering(500, 'could not resolve name: DNSLink lookup could not find a TXT record');
  const [other, broken] = [await answering(404, ''), await answering(500, 'out of order')];
  const headers = { 'x-ipfs-roots': CID, 'content-length': '0' };
  const knowing = await started(t, { truth: () => ({ status: 200, headers, body: Buffer.alloc(0) }) });
  const lookUp = () => Promise.reject(Object.assign(new Error('queryTxt ENOTFOUND example.org'), { code: 'ENOTFOUND' }));
  const ask = (...of: HostileGateway[]) => resolveSource('/ipns/example.org', { via: of.map(({ url }) => url), now: NOW, limits, lookUp });
  await assert.rejects(ask(kubo, other), {
    code: 'NOT_FOUND',
    message: new RegExp(`example.org.*${kubo.url}, ${other.url}$`),
    hint: /dig TXT _dnslink/,
  });
  await assert.rejects(ask(kubo, broken), { code: 'TOO_FEW_PEERS', message: /HTTP 500/ });
  assert.equal(cidText((await ask(kubo, broken, knowing)).root, 1), CID);
});

test('a repository of a serve is its newest snapshot, or the one that "@" names by number, date or tag, also below a path', async (t) => {
  const list = [1, 2].map((number) => ({
    number,
    time: `2026-01-0${number}T00:00:00Z`,
    cid: cidText({ codec: RAW, digest: sha256(Buffer.of(number)) }, 1),
    tags: number === 1 ? ['tested', 7] : 'tested',
  }));
  const body = Buffer.from(JSON.stringify(list.toReversed()));
  const server = await started(t, {
    truth: ({ path }) =>
      path === '/mirrors/debian%40/?format=json' || path === '/mirrors/debian@/?format=json'
        ? { status: 200, headers: {}, body }
        : { status: 404, headers: {}, body: Buffer.alloc(0) },
  });
  const of = async (text: string) => await resolveSource(`${server.url}/mirrors/${text}`, { via: [], now: NOW, limits });
  assert.equal(cidText((await of('debian')).root, 1), list[1]?.cid);
  assert.equal(cidText((await of('debian@1/pool/a%20b/')).root, 1), list[0]?.cid);
  assert.equal((await of('debian@1/pool/a%20b/')).path, 'pool/a b');
  assert.equal((await of('debian')).gateways[0]?.url, `${server.url}/mirrors/`);
  assert.equal(cidText((await of('debian@tested')).root, 1), list[0]?.cid);
  await assert.rejects(of('debian@3'), { code: 'NOT_FOUND' });
  await assert.rejects(of('npm'), { code: 'NOT_FOUND' });
});

test('a serve that lists something else than a CID is named, and no more is shown of it than fits a line', async (t) => {
  for (const cid of ['../../etc', 'bafkqaaa', `b${'a'.repeat(1_000_000)}`, '\u001b[31mred\n']) {
    const body = Buffer.from(JSON.stringify([{ number: 7, time: '2026-01-01T00:00:00Z', cid }]));
    const server = await started(t, { truth: () => ({ status: 200, headers: {}, body }) });
    const failure = await resolveSource(`${server.url}/debian`, { via: [], now: NOW, limits }).catch((error: unknown) => error);
    assert.ok(failure instanceof ShardctlError);
    assert.equal(failure.code, 'DAMAGE');
    assert.match(failure.message, /^http:\/\/127\.0\.0\.1:\d+\/ gives "[ -~]{1,100}" for the CID of snapshot 7/);
  }
});

test('a SRC is a CID, a name or a URL, and anything else may be a REF', () => {
  const path = { path: 'a/b', gateway: undefined };
  const id = { codec: RAW, digest: Uint8Array.from(sha256(Buffer.from('a'))) };
  for (const text of [`${CID}/a/b`, `/ipfs/${CID}/a/b`, `ipfs://${CID}/a//b/`])
    assert.deepEqual(readSourceText(text), { kind: 'cid', id, ...path });
  assert.deepEqual(readSourceText('/ipns/example.org/a/b'), { kind: 'name', name: 'example.org', ...path });
  assert.deepEqual(readSourceText(`http://h:1/ipfs/${CID}/a/b`), { kind: 'cid', id, path: 'a/b', gateway: 'http://h:1/' });
  // Names are bytes.
  assert.deepEqual(readSourceText(`http://h:1/ipfs/${CID}/%e4/%C3%A4/a%20b`), {
    ...{ kind: 'cid', id, gateway: 'http://h:1/' },
    path: '\xe4/\xc3\xa4/a b',
  });
  for (const ref of ['debian', 'debian@7', 'debian@2026-01-01/pool']) assert.equal(readSourceText(ref), undefined);
  for (const bad of ['/ipfs/debian', 'http://h/', 'http://[']) assert.throws(() => readSourceText(bad), { code: 'USAGE' });
});

test('of what a router says, only well-formed records count, each peer once', () => {
  const good = { Schema: 'peer', ID: 'A', Addrs: ['/ip4/1.2.3.4', 7], Protocols: 'none' };
  const text = JSON.stringify({ Providers: [good, { ...good }, null, { ID: 1 }, 'x', { ID: 'B' }] });
  assert.deepEqual(
    providersIn(text).map(({ id, addresses }) => [id, addresses]),
    [
      ['A', ['/ip4/1.2.3.4']],
      ['B', []],
    ],
  );
  for (const bad of ['', '[]', 'null', '{"Providers":1}']) assert.deepEqual(providersIn(bad), []);
});

test('a key goes by each of its names: a CID in any base, or a peer ID', async (t) => {
  const body = recordOf(pair.privateKey, `/ipfs/${CID}`);
  const server = await started(t, {
    truth: ({ path }) =>
      path === `/ipns/${name}?format=ipns-record`
        ? { status: 200, headers: {}, body }
        : { status: 404, headers: {}, body: Buffer.alloc(0) },
  });
  const key = base36.decode(name);
  const names = [name, base32.encode(key), base58btc.encode(key), base58btc.baseEncode(key.subarray(2))];
  assert.match(names.at(-1) as string, /^12D3Koo/);
  for (const one of names) {
    const { root } = await resolveSource(`/ipns/${one}`, { via: [server.url], now: NOW, limits, lookUp: async () => [] });
    assert.equal(cidText(root, 1), CID, one);
  }
});

test('the name of an RSA key is the hash of the key, which the record holds', () => {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const message = Buffer.concat([Buffer.from([8, 0]), field(2, publicKey.export({ type: 'spki', format: 'der' }))]);
  const peerId = base58btc.baseEncode(Buffer.from([0x12, 32, ...sha256(message)]));
  const data = Buffer.from(
    encode({ Value: Buffer.from(`/ipfs/${CID}`), Validity: Buffer.from('2026-01-02T00:00:00Z'), ValidityType: 0, Sequence: 1 }),
  );
  const signature = sign('sha256', Buffer.concat([Buffer.from('ipns-signature:'), data]), privateKey);
  const record = Buffer.concat([field(7, message), field(8, signature), field(9, data)]);
  assert.equal(openIpnsRecord(peerId, record, NOW).value, `/ipfs/${CID}`);
  assert.throws(() => openIpnsRecord(name, record, NOW), ShardctlError);
});
