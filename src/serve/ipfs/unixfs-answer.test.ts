import assert from 'node:assert/strict';
import { before, suite, test } from 'node:test';
import fc from 'fast-check';
import { DAG_PB, RAW } from '../../core/model.ts';
import { cidText, parseCid, textOfCid } from '../../dag/cid.ts';
import { encodeEmptyFile, encodeFileNode } from '../../dag/file-node.ts';
import { sampled } from '../../testing/depth.ts';
import { allReleased, gatewayOver, type TestGateway } from '../../testing/gateway.ts';
import {
  BROKEN_FIXTURES,
  blocksOf,
  type Fixture,
  FixtureDag,
  type FixtureEntry,
  urlOf,
  WHOLE_FIXTURES,
} from '../../testing/gateway-fixtures.ts';
import { MemoryBlocks } from '../../testing/memory-blocks.ts';

const dags = new Map<Fixture, FixtureDag>();
let gateway: TestGateway;

before(async () => {
  for (const name of [...WHOLE_FIXTURES, ...BROKEN_FIXTURES]) dags.set(name, await FixtureDag.open(name));
  gateway = gatewayOver({ block: blocksOf([...dags.values()]) });
});

const dagOf = (name: Fixture) => dags.get(name) as FixtureDag;
const ask = (url: string, headers: Record<string, string> = {}, method: 'GET' | 'HEAD' = 'GET') =>
  gateway.app.inject({ url, headers, method });

function entryOf(dag: FixtureDag, ...names: string[]): FixtureEntry {
  return dag.entries().find((entry) => entry.names.join('/') === names.join('/')) as FixtureEntry;
}

suite('a file', () => {
  test('has a Last-Modified only where that is a time of HTTP, and not in the future', async () => {
    const blocks = new MemoryBlocks();
    const dated = gatewayOver({ block: (digest) => blocks.now(digest) });
    for (const [seconds, said] of [
      [1_700_000_000, 'Tue, 14 Nov 2023 22:13:20 GMT'],
      [0, undefined],
      [-1, undefined],
      [9_000_000_000, undefined],
      [9_000_000_000_000, undefined],
    ] as const) {
      const node = encodeEmptyFile({ mtimeNs: BigInt(seconds) * 1_000_000_000n });
      const { headers } = await dated.app.inject({ url: `/ipfs/${cidText({ codec: DAG_PB, digest: blocks.put(node) }, 1)}` });
      assert.equal(headers['last-modified'], said, `${seconds}`);
    }
  });

  test('may have a root that its CID carries, which is no shard', async () => {
    const blocks = new MemoryBlocks();
    const shardCarOf = (cid: string) => void parseCid(cid);
    const { app } = gatewayOver({ block: (digest) => blocks.now(digest), shardCarOf });
    const digest = blocks.put(Buffer.from('abc'));
    const node = encodeFileNode([{ codec: RAW, digest, fileBytes: 3, dagSize: 3 }], undefined, 1);
    const cid = textOfCid(Uint8Array.of(1, DAG_PB, 0, node.length, ...node));
    const { statusCode, payload } = await app.inject({ url: `/ipfs/${cid}` });
    assert.deepEqual([statusCode, payload], [200, 'abc']);
  });

  test('is what the slow model reads, of any path', async () => {
    for (const name of WHOLE_FIXTURES) {
      const dag = dagOf(name);
      const files = dag.entries().filter(({ cid }) => !dag.isDirectory(cid) && dag.unixFs(cid)?.type !== 'symlink');
      for (const entry of files.filter((_, at) => at % Math.ceil(files.length / sampled(10, 200)) === 0)) {
        const { statusCode, rawPayload, headers } = await ask(urlOf(entry, dag.root));
        assert.deepEqual([statusCode, rawPayload], [200, dag.contents(entry.cid)], entry.names.join('/'));
        assert.deepEqual([headers.etag, headers['x-ipfs-roots']], [`"${entry.cid}"`, entry.roots.join(',')]);
        assert.equal(headers['accept-ranges'], 'bytes');
      }
    }
    await allReleased(gateway);
  });

  test('gives any range of its bytes', async () => {
    const dag = dagOf('subdir-with-mixed-block-files');
    const entry = entryOf(dag, 'subdir', 'multiblock.txt');
    const contents = dag.contents(entry.cid);
    const offset = fc.nat(contents.length + 10);
    await fc.assert(
      fc.asyncProperty(fc.option(offset), fc.option(offset), async (from, last) => {
        fc.pre((from !== null || last !== null) && (from === null || last === null || from <= last));
        const { statusCode, rawPayload, headers } = await ask(urlOf(entry, dag.root), { range: `bytes=${from ?? ''}-${last ?? ''}` });
        const start = from ?? Math.max(0, contents.length - (last ?? 0));
        const end = from === null || last === null ? contents.length : Math.min(contents.length, last + 1);
        if (start >= contents.length) return assert.equal(statusCode, 416);
        assert.deepEqual([statusCode, rawPayload], [206, contents.subarray(start, end)]);
        assert.equal(headers['content-range'], `bytes ${start}-${end - 1}/${contents.length}`);
      }),
      { numRuns: sampled(100, 2000) },
    );
  });

  test('of many leaves gives any range, too, though its node is read again whenever the body goes on', async () => {
    const blocks = new MemoryBlocks();
    const leaf = (at: number) => Buffer.alloc(1000, at);
    const leaves = Array.from(
      { length: 100 },
      (_, at) => ({ codec: RAW, digest: blocks.put(leaf(at)), fileBytes: 1000, dagSize: 1000 }) as const,
    );
    const root = cidText({ codec: DAG_PB, digest: blocks.put(encodeFileNode(leaves, undefined, 1)) }, 1);
    const large = gatewayOver({ block: (digest) => blocks.now(digest) });
    const contents = Buffer.concat(leaves.map((_, at) => leaf(at)));
    for (const [from, to] of [
      [0, 100_000],
      [999, 1001],
      [65_000, 99_999],
    ] as const) {
      const { statusCode, rawPayload } = await large.app.inject({ url: `/ipfs/${root}`, headers: { range: `bytes=${from}-${to - 1}` } });
      assert.deepEqual([statusCode, rawPayload], [206, contents.subarray(from, to)]);
    }
    await allReleased(large);
  });

  test('gives a range although other blocks are missing, and an error before the answer where its first block is', async () => {
    const dag = dagOf('file-3k-and-3-blocks-missing-block');
    for (const range of ['bytes=997-1000', 'bytes=2200-2201']) {
      const answer = await ask(`/ipfs/${dag.root}`, { range });
      assert.equal(answer.statusCode, 206);
    }
    assert.equal((await ask(`/ipfs/${dag.root}`, { range: 'bytes=1500-1600' })).statusCode, 404);
  });

  test('is cut off where a later block is missing', async () => {
    const dag = dagOf('file-3k-and-3-blocks-missing-block');
    await assert.rejects(ask(`/ipfs/${dag.root}`));
    await allReleased(gateway);
  });

  test('has a name that is decoded once', async () => {
    const dag = dagOf('percent-encoded-name');
    const answer = await ask(`/ipfs/${dag.root}/Portugal%252C+Espa%C3%B1a=Peninsula%20Ib%C3%A9rica.txt`);
    assert.deepEqual([answer.statusCode, answer.headers['content-type']], [200, 'text/plain; charset=utf-8']);
  });

  test('is saved under the name that the request gives', async () => {
    const dag = dagOf('dir-with-duplicate-files');
    const { headers } = await ask(`/ipfs/${dag.root}/hello.txt?filename=a%22b.pdf&download=true`);
    assert.equal(headers['content-disposition'], `attachment; filename="a%22b.pdf"; filename*=UTF-8''a%22b.pdf`);
    assert.equal(headers['content-type'], 'application/pdf');
  });
});

suite('a symlink', () => {
  test('is its target', async () => {
    const { statusCode, payload, headers } = await ask(`/ipfs/${dagOf('symlink').root}/bar`);
    assert.deepEqual([statusCode, payload, headers['content-type']], [200, 'foo', 'inode/symlink']);
  });
});

suite('a directory', () => {
  test('is found at the address with a slash', async () => {
    const dag = dagOf('dir-listing');
    const { statusCode, headers } = await ask(`/ipfs/${dag.root}/%C4%85/%C4%99?a=b`);
    assert.deepEqual([statusCode, headers.location], [301, `/ipfs/${dag.root}/%C4%85/%C4%99/?a=b`]);
  });

  test('is answered by its index.html, under the tag of the directory', async () => {
    const dag = dagOf('cache');
    const entry = entryOf(dag, 'root2', 'root3', 'root4');
    const { statusCode, headers, rawPayload } = await ask(`${urlOf(entry, dag.root)}/`);
    assert.deepEqual([statusCode, headers.etag, headers['content-type']], [200, `"${entry.cid}"`, 'text/html']);
    assert.equal(headers['x-ipfs-roots'], entry.roots.join(','));
    assert.deepEqual(rawPayload, dag.contents(entryOf(dag, 'root2', 'root3', 'root4', 'index.html').cid));
    // The file belongs to others: no script of it may act in the name of this server.
    assert.match(String(headers['content-security-policy']), /sandbox/);
  });

  test('is listed with all of its entries, as stock gateways mark them', async () => {
    const dag = dagOf('dir-listing');
    const { payload, headers } = await ask(`/ipfs/${dag.root}/%C4%85/%C4%99/`);
    const base = `/ipfs/${dag.root}`;
    const file = entryOf(dag, 'ą', 'ę', 'file-źł.txt');
    for (const part of [
      `Index of /ipfs/<a href="${base}">${dag.root}</a>/<a href="${base}/%C4%85">ą</a>/<a href="${base}/%C4%85/%C4%99">ę</a>`,
      `<a href="${base}/%C4%85/%C4%99/..">..</a>`,
      `<a href="${base}/%C4%85/%C4%99/file-%C5%BA%C5%82.txt">file-źł.txt</a>`,
      `<a class="ipfs-hash" translate="no" href="/ipfs/${file.cid}?filename=file-%25C5%25BA%25C5%2582.txt">`,
    ])
      assert.ok(payload.includes(part), `${part}\n${payload}`);
    assert.match(String(headers.etag), /^"DirIndex-.*_CID-/);
    const again = await ask(`/ipfs/${dag.root}/%C4%85/%C4%99/`, { 'if-none-match': String(headers.etag) });
    assert.equal(again.statusCode, 304);
    const hamt = dagOf('single-layer-hamt-with-multi-block-files');
    const [, page = ''] = (await ask(`/ipfs/${hamt.root}/`)).payload.split('<table>');
    const names = hamt.entries().flatMap(({ names }) => (names.length === 1 ? [names[0] as string] : []));
    assert.deepEqual([...page.matchAll(/\/([^/"]+)">\1<\/a>/g)].map(([, name]) => name).sort(), names.sort());
  });
});

suite('an address', () => {
  test('that means nothing is 400, one that leads to nothing 404, what there is no form for 406, a name of IPNS 501', async () => {
    const { root } = dagOf('cache');
    for (const [url, status] of [
      [`/ipfs/${root}/..%2f..`, 400],
      [`/ipfs/${root}/%00`, 400],
      [`/ipfs/${root}/%zz`, 400],
      ['/ipfs/', 400],
      [`/ipfs/${root}/none`, 404],
      [`/ipfs/${root}/root2/root3/root4/index.html/below`, 404],
      [`/ipfs/${root}?format=dag-json`, 406],
      [`/ipfs/${root}?format=tar`, 400],
      ['/ipns/example.com', 501],
    ] as const)
      assert.equal((await ask(url)).statusCode, status, url);
    assert.equal((await ask(`/ipfs/${root}`, { 'service-worker': 'script' })).statusCode, 400);
    await allReleased(gateway);
  });
});
