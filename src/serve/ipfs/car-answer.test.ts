/** The law of CARs: exactly the blocks that the slow model gives, in its order, for every entry of the fixtures of the gateway conformance suite. */
import assert from 'node:assert/strict';
import { before, suite, test } from 'node:test';
import { CarReader } from '@ipld/car';
import fc from 'fast-check';
import type { CID } from 'multiformats/cid';
import { ShardctlError } from '../../core/errors.ts';
import type { ShardCar } from '../../read/stored/stored-blocks.ts';
import { sampled } from '../../testing/depth.ts';
import { allReleased, gatewayOver, type TestGateway } from '../../testing/gateway.ts';
import { blocksOf, cidsIn, FixtureDag, type FixtureEntry, urlOf, WHOLE_FIXTURES } from '../../testing/gateway-fixtures.ts';

const CAR = 'application/vnd.ipld.car';
const dags: FixtureDag[] = [];
let gateway: TestGateway;

before(async () => {
  for (const name of WHOLE_FIXTURES) dags.push(await FixtureDag.open(name));
  gateway = gatewayOver({ block: blocksOf(dags) });
});

/** A part of the entries: HAMT directories have a thousand. */
function someEntries(dag: FixtureDag): FixtureEntry[] {
  const all = dag.entries();
  const step = Math.ceil(all.length / sampled(4, 200));
  return all.filter((_, at) => at % step === 0);
}

const texts = (cids: readonly CID[]) => cids.map(String);
const once = (cids: readonly CID[]) => [...new Set(texts(cids))];

async function carOf(url: string, headers: Record<string, string> = {}) {
  const answer = await gateway.app.inject({ url, headers });
  assert.equal(answer.statusCode, 200, `${url}: ${answer.payload.slice(0, 200)}`);
  return { answer, cids: await cidsIn(answer.rawPayload) };
}

suite('a CAR', () => {
  test('has the blocks on the path, then those of the scope, depth first, each once or as often as it is linked', async () => {
    for (const dag of dags) {
      for (const entry of someEntries(dag)) {
        const url = `${urlOf(entry, dag.root)}?format=car`;
        const scopes = {
          block: [...entry.way, entry.cid],
          entity: [...entry.way, ...dag.entity(entry.cid)],
          all: [...entry.way, ...dag.descent(entry.cid)],
        };
        for (const [scope, expected] of Object.entries(scopes)) {
          const { cids } = await carOf(`${url}&dag-scope=${scope}`);
          assert.deepEqual(cids, once(expected), `${url} ${scope}`);
          const { cids: all } = await carOf(`${url}&dag-scope=${scope}`, { accept: `${CAR}; version=1; order=dfs; dups=y` });
          assert.deepEqual(all, texts(expected), `${url} ${scope} with duplicates`);
        }
      }
    }
    await allReleased(gateway);
  });

  test('has the bytes of each block, and names the entry as its only root', async () => {
    for (const dag of dags) {
      const { answer } = await carOf(`${urlOf({ names: [] }, dag.root)}?format=car`);
      const reader = await CarReader.fromBytes(answer.rawPayload);
      assert.deepEqual((await reader.getRoots()).map(String), [dag.root.toString()]);
      for await (const { cid, bytes } of reader.blocks()) assert.deepEqual(Buffer.from(bytes), Buffer.from(dag.bytes(cid)));
    }
  });

  test('of a part of a file has the blocks in which those bytes are', async () => {
    const dag = dags.find(({ name }) => name === 'subdir-with-mixed-block-files') as FixtureDag;
    const entry = dag.entries().find(({ names }) => names.at(-1) === 'multiblock.txt') as FixtureEntry;
    const size = dag.contents(entry.cid).length;
    const end = fc.integer({ min: -size - 100, max: size + 100 });
    await fc.assert(
      fc.asyncProperty(end, fc.option(end), async (from, to) => {
        fc.pre(to === null || from < 0 !== to < 0 || from <= to);
        const first = from < 0 ? Math.max(0, size + from) : from;
        const last = to === null ? size - 1 : to < 0 ? size + to : to;
        const { cids } = await carOf(`${urlOf(entry, dag.root)}?format=car&dag-scope=entity&entity-bytes=${from}:${to ?? '*'}`);
        const expected = first > last || last < 0 ? [entry.cid] : dag.entity(entry.cid, first, last);
        assert.deepEqual(cids, once([...entry.way, ...expected]), `${from}:${to}`);
      }),
      { numRuns: sampled(100, 2000) },
    );
  });

  test('of an inline block has none, and goes on below an inline node', async () => {
    const { cids } = await carOf('/ipfs/bafkqaf3imvwgy3zaneqgc3janfxgy2lomvscay3jmqfa', { accept: `${CAR}; dups=y` });
    assert.deepEqual(cids, []);
  });

  test('says its order and duplicates; the query wins over Accept', async () => {
    const url = `/ipfs/${dags[0]?.root}`;
    for (const [query, accept, type] of [
      ['?format=car', '', 'order=dfs; dups=n'],
      ['', `${CAR}; order=unk`, 'order=unk; dups=n'],
      ['?format=car&car-dups=y', `${CAR}; dups=n`, 'order=dfs; dups=y'],
      ['?format=car&car-order=dfs', `${CAR}; order=unk`, 'order=dfs; dups=n'],
      ['?format=car', 'application/vnd.ipld.raw', 'order=dfs; dups=n'],
    ] as const) {
      const { headers } = (await carOf(`${url}${query}`, accept === '' ? {} : { accept })).answer;
      assert.equal(headers['content-type'], `${CAR}; version=1; ${type}`);
      assert.equal(headers['accept-ranges'], 'none');
      assert.equal(headers['x-content-type-options'], 'nosniff');
      assert.match(String(headers['content-disposition']), /^attachment; filename=".*\.car"/);
      assert.match(String(headers.etag), /^W\/".*\.car\./);
    }
  });

  test('is 304 to whoever has it, and another one has another tag', async () => {
    const url = `/ipfs/${dags[0]?.root}?format=car`;
    const { etag } = (await carOf(url)).answer.headers;
    assert.equal((await gateway.app.inject({ url, headers: { 'if-none-match': String(etag) } })).statusCode, 304);
    const tags = new Set([etag]);
    for (const more of ['&dag-scope=block', '&dag-scope=entity', '&entity-bytes=0:1', '&entity-bytes=0:2', '&car-dups=y', '&car-order=unk'])
      tags.add((await carOf(url + more)).answer.headers.etag);
    assert.equal(tags.size, 7);
  });

  test('one of whose blocks cannot be had is cut, and whoever counts that is told once', async () => {
    const [dag] = dags;
    assert.ok(dag);
    const stream = async function* (from: number) {
      if (from < 10) yield Buffer.alloc(10 - from);
      throw new ShardctlError('DAMAGE', 'torn');
    };
    const cuts: string[] = [];
    const { app } = gatewayOver({
      block: blocksOf(dags),
      shardCarOf: () => ({ carBytes: 100, stream }) as unknown as ShardCar,
      onCut: (url) => cuts.push(url),
    });
    const url = `/ipfs/${dag.root}?format=car`;
    await app.inject({ url }).catch(() => {});
    assert.deepEqual(cuts, [url]);
  });

  test('that is asked for wrongly is 400, of what is not there 404', async () => {
    const url = `/ipfs/${dags[0]?.root}`;
    for (const wrong of [
      'car-version=2',
      'dag-scope=some',
      'car-order=random',
      'car-dups=maybe',
      'entity-bytes=1',
      'entity-bytes=5:2',
      'entity-bytes=-2:-5',
    ])
      assert.equal((await gateway.app.inject({ url: `${url}?format=car&${wrong}` })).statusCode, 400, wrong);
    assert.equal((await gateway.app.inject({ url: `${url}/none/such?format=car` })).statusCode, 404);
    assert.equal((await gateway.app.inject({ url: '/ipfs/QmYzfKSE55XCjD1MW128RfciAf2DViABhEiXfgVFMabSjN?format=car' })).statusCode, 404);
    await allReleased(gateway);
  });
});

suite('the CAR of a shard', () => {
  const sealed = Buffer.from(Array.from({ length: 1000 }, (_, at) => at % 251));
  const asked: string[] = [];
  const car = {
    carBytes: sealed.length,
    async *stream(from: number, to: number) {
      for (let at = from; at < to; at += 100) yield sealed.subarray(at, Math.min(to, at + 100));
    },
  };

  test('goes out as it was sealed, with its length and in ranges, unless the client insists on an order or on a part', async () => {
    const [dag] = dags as [FixtureDag];
    const { app } = gatewayOver({
      block: blocksOf(dags),
      shardCarOf: (cid) => {
        asked.push(cid);
        return car as unknown as ShardCar;
      },
    });
    const url = `/ipfs/${dag.root}?format=car`;
    const whole = await app.inject({ url });
    assert.deepEqual([whole.statusCode, whole.rawPayload, whole.headers['content-length']], [200, sealed, '1000']);
    assert.equal(whole.headers['content-type'], `${CAR}; version=1; order=unk; dups=n`);
    const part = await app.inject({ url, headers: { range: 'bytes=150-349' } });
    assert.deepEqual([part.statusCode, part.rawPayload], [206, sealed.subarray(150, 350)]);
    assert.equal((await app.inject({ url, headers: { 'if-none-match': String(whole.headers.etag) } })).statusCode, 304);
    const head = await app.inject({ url, method: 'HEAD' });
    assert.deepEqual([head.payload, head.headers['content-length']], ['', '1000']);
    assert.deepEqual(new Set(asked), new Set([dag.root.toString()]));
    for (const more of ['&car-order=dfs', '&dag-scope=block'])
      assert.ok((await cidsIn((await app.inject({ url: url + more })).rawPayload)).length > 0);
  });
});
