import assert from 'node:assert/strict';
import { before, suite, test } from 'node:test';
import { base16 } from 'multiformats/bases/base16';
import { base36 } from 'multiformats/bases/base36';
import { base58btc } from 'multiformats/bases/base58';
import { base64url } from 'multiformats/bases/base64';
import { allReleased, gatewayOver, type TestGateway } from '../../testing/gateway.ts';
import { BROKEN_FIXTURES, blocksOf, FixtureDag, urlOf, WHOLE_FIXTURES } from '../../testing/gateway-fixtures.ts';

const RAW = 'application/vnd.ipld.raw';
const dags: FixtureDag[] = [];
let gateway: TestGateway;

before(async () => {
  for (const name of [...WHOLE_FIXTURES, ...BROKEN_FIXTURES]) dags.push(await FixtureDag.open(name));
  gateway = gatewayOver({ block: blocksOf(dags) });
});

const ask = (url: string, headers: Record<string, string> = {}, method: 'GET' | 'HEAD' | 'POST' = 'GET') =>
  gateway.app.inject({ url, headers, method });

suite('a raw block', () => {
  test('is found by its CID, whatever the codec, and by any way to it', async () => {
    for (const dag of dags) {
      for (const { cid, bytes } of dag.blocks.values()) {
        const answer = await ask(`/ipfs/${cid}?format=raw`);
        assert.deepEqual([answer.statusCode, answer.rawPayload], [200, Buffer.from(bytes)], `${cid}`);
      }
    }
    const dag = dags[1] as FixtureDag;
    for (const entry of dag.entries()) {
      const { statusCode, rawPayload, headers } = await ask(urlOf(entry, dag.root), { accept: RAW });
      assert.deepEqual([statusCode, rawPayload], [200, Buffer.from(dag.bytes(entry.cid))]);
      assert.equal(headers['x-ipfs-roots'], entry.roots.join(','));
      assert.equal(headers['content-location'], `${urlOf(entry, dag.root)}?format=raw`);
    }
    await allReleased(gateway);
  });

  test('is found in each multibase and version', async () => {
    const { root } = dags[0] as FixtureDag;
    const v0 = root.toV0();
    for (const text of [root.toString(base16), root.toString(base36), root.toString(base58btc), root.toString(base64url), v0.toString()])
      assert.equal((await ask(`/ipfs/${text}?format=raw`)).statusCode, 200, text);
    for (const text of ['', 'x', 'bafy', 'QmYzfKSE55XCjD1MW128RfciAf2DViABhEiXfgVFMabSj', `${root}a`, `z${v0}`, 'b'.repeat(9000)])
      assert.equal((await ask(`/ipfs/${text}?format=raw`)).statusCode, 400, text);
  });

  test('has the headers of a block that never changes', async () => {
    const { root, name } = dags[0] as FixtureDag;
    assert.equal(name, 'raw-block');
    const { headers } = await ask(`/ipfs/${root}?format=raw&filename=f%C3%B6o.bin`);
    assert.deepEqual(
      ['content-type', 'etag', 'x-content-type-options', 'cache-control', 'accept-ranges', 'x-ipfs-path', 'vary'].map(
        (key) => headers[key],
      ),
      [RAW, `"${root}.raw"`, 'nosniff', 'public, max-age=29030400, immutable', 'bytes', `/ipfs/${root}`, 'Accept'],
    );
    assert.equal(headers['content-disposition'], `attachment; filename="f_o.bin"; filename*=UTF-8''f%C3%B6o.bin`);
  });

  test('is given in part, not at all to whoever has it, and without its bytes to HEAD', async () => {
    const { root, blocks } = dags[0] as FixtureDag;
    const bytes = blocks.get(root.toString())?.bytes as Uint8Array;
    const url = `/ipfs/${root}?format=raw`;
    const part = await ask(url, { range: 'bytes=2-4,8-9' });
    assert.deepEqual(
      [part.statusCode, part.rawPayload, part.headers['content-range']],
      [206, Buffer.from(bytes.subarray(2, 5)), `bytes 2-4/${bytes.length}`],
    );
    assert.equal((await ask(url, { range: `bytes=${bytes.length}-` })).statusCode, 416);
    assert.equal((await ask(url, { 'if-none-match': `W/"${root}.raw"` })).statusCode, 304);
    const head = await ask(url, {}, 'HEAD');
    assert.deepEqual([head.statusCode, head.payload, head.headers['content-length']], [200, '', String(bytes.length)]);
  });

  test('answers the probe of IPFS nodes, and is 404 or 412 where it is not here', async () => {
    const probe = await ask('/ipfs/bafkqaaa?format=raw', {}, 'HEAD');
    assert.deepEqual([probe.statusCode, probe.headers['content-length']], [200, '0']);
    assert.equal((await ask('/ipfs/bafkqaf3imvwgy3zaneqgc3janfxgy2lomvscay3jmqfa?format=raw')).payload, 'hello i am inlined cid\n');
    const missing = '/ipfs/QmYzfKSE55XCjD1MW128RfciAf2DViABhEiXfgVFMabSjN?format=raw';
    assert.equal((await ask(missing)).statusCode, 404);
    assert.equal((await ask(missing, { 'cache-control': 'only-if-cached' })).statusCode, 412);
    // sha2-512
    const other =
      '/ipfs/bafkrgqhhyivzstcz3hhswshfjgy6ertgmnqeleynhwt4dlfsthi4hn7zgh4uvlsb5xncykzapi3ocd4lzogukir6ksdy6wzrnz6ohnv4aglcs?format=raw';
    assert.equal((await ask(other)).statusCode, 404);
  });

  test('that the client may not see is as if it were not there, in CARs and files, too', async () => {
    const dag = dags.find(({ name }) => name === 'cache') as FixtureDag;
    const [hidden, ...rest] = dag.entries().reverse();
    assert.ok(hidden !== undefined && rest.length > 0);
    const digest = Buffer.from(hidden.cid.multihash.digest);
    const { app } = gatewayOver({ block: blocksOf(dags), sees: (asked) => !digest.equals(asked), isRestricted: true });
    const url = urlOf(hidden, dag.root);
    for (const query of ['', '?format=raw', '?format=car']) {
      const absent = await app.inject({ url: `/ipfs/QmYzfKSE55XCjD1MW128RfciAf2DViABhEiXfgVFMabSjN${query}` });
      const refused = await app.inject({ url: url + query });
      assert.deepEqual([refused.statusCode, refused.headers['cache-control']], [404, absent.headers['cache-control']], query);
    }
    const shown = await app.inject({ url: `${urlOf({ names: [] }, dag.root)}?format=raw` });
    assert.equal(shown.headers['cache-control'], 'private, max-age=29030400, immutable');
    assert.match(String(shown.headers.vary), /Authorization/);
  });
});
