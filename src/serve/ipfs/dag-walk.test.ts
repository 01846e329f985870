/** What a stranger's DAG, or a client that leaves, can do to the making of a CAR. */
import assert from 'node:assert/strict';
import { get } from 'node:http';
import type { AddressInfo } from 'node:net';
import { suite, test } from 'node:test';
import type { BlockId } from '../../core/model.ts';
import { cidBytes, cidText } from '../../dag/cid.ts';
import { type AnyCid, splitCid } from '../../dag/foreign-cid.ts';
import { allReleased, gatewayOver } from '../../testing/gateway.ts';
import { cidsIn } from '../../testing/gateway-fixtures.ts';
import { HostileDag } from '../../testing/hostile-dag.ts';
import { MemoryBlocks } from '../../testing/memory-blocks.ts';
import type { CarRequest } from './car-request.ts';
import { ContentBlocks } from './content-blocks.ts';
import { blocksFor, spanOf } from './dag-walk.ts';
import { MetBlocks, MetMemory } from './met-blocks.ts';

const ALL: CarRequest = { scope: 'all', bytes: undefined, order: 'dfs', isOrdered: false, dups: false };

function walkOf(dag: HostileDag, root: BlockId, request: CarRequest, memory = new MetMemory()) {
  const unused = async () => undefined;
  const blocks = new ContentBlocks({
    blocks: { read: (digest) => dag.read(digest), sizeOf: unused, extentOf: unused, extentNow: () => undefined },
    sees: () => true,
  });
  const last = splitCid(cidBytes(root, 1)) as AnyCid;
  return blocksFor({ roots: [last], last, way: [] }, request, { blocks, met: request.dups ? undefined : new MetBlocks(memory) });
}

async function countOf(walk: AsyncIterable<unknown>): Promise<number> {
  let count = 0;
  for await (const _ of walk) count++;
  return count;
}

/** Each node has the one below it twice: 2^levels parts, made of few blocks. */
function doubled(dag: HostileDag, levels: number, hasSizes: boolean): BlockId {
  let id = dag.raw(Buffer.from('x'));
  for (let level = 0, size = 1; level < levels; level++, size *= 2) id = dag.file([id, id], size * 2, hasSizes ? [size, size] : []);
  return id;
}

suite('a walk', () => {
  test('sends each block once of a file that repeats itself without end, and looks at few', async () => {
    for (const hasSizes of [true, false]) {
      const dag = new HostileDag();
      const root = doubled(dag, 50, hasSizes);
      assert.equal(await countOf(walkOf(dag, root, ALL)), 51);
      assert.equal(await countOf(walkOf(dag, root, { ...ALL, scope: 'entity' })), 51);
      const middle = { from: 2 ** 20 + 1, to: 2 ** 49 + 5 };
      assert.equal(await countOf(walkOf(dag, root, { ...ALL, scope: 'entity', bytes: middle })), 51);
      assert.ok(dag.reads < 2000, `${dag.reads} reads`);
    }
  });

  test('goes no deeper than boxo does', async () => {
    const dag = new HostileDag();
    let id = dag.raw(Buffer.from('x'));
    for (let level = 0; level < 1500; level++) id = dag.directory([{ id, name: 'a' }]);
    await assert.rejects(countOf(walkOf(dag, id, ALL)), /nested too deep/);
  });

  test('remembers no more than there is room for, and gives the room back', async () => {
    const dag = new HostileDag();
    const files = Array.from({ length: 10 }, (_, at) => ({ id: dag.raw(Buffer.from([at])), name: `${at}` }));
    const twice = [...files, ...files.map(({ id, name }) => ({ id, name: `b${name}` }))];
    const root = dag.directory(twice);
    assert.equal(await countOf(walkOf(dag, root, ALL)), 11);
    const memory = new MetMemory(4);
    const met = new MetBlocks(memory);
    const cid = splitCid(cidBytes(root, 1)) as AnyCid;
    assert.deepEqual([met.add(cid), met.add(cid), memory.room], [true, false, 3]);
    met.forget();
    assert.equal(memory.room, 4);
    assert.equal(await countOf(walkOf(dag, root, ALL, memory)), 1 + 3 + 7 + 7);
  });
});

test('bytes of a file are counted from its end where they are negative, and cut off where it ends', () => {
  const spans = [
    [{ from: 0, to: undefined }, 0, 10],
    [{ from: -3, to: undefined }, 7, 10],
    [{ from: -30, to: -3 }, 0, 8],
    [{ from: 2, to: 300 }, 2, 10],
    [{ from: 2, to: 2 }, 2, 3],
    [{ from: 20, to: 30 }, 20, 10],
    [{ from: 0, to: -11 }, 0, 0],
  ] as const;
  for (const [bytes, from, to] of spans) assert.deepEqual(spanOf(bytes, 10), { from, to });
});

test('a client that leaves ends the walk, and nothing is held any more', async () => {
  const blocks = new MemoryBlocks();
  const dag = new HostileDag();
  const files = Array.from({ length: 600 }, (_, at) => ({ id: dag.raw(Buffer.alloc(20_000, `${at} `)), name: `${at}` }));
  const root = dag.directory(files);
  let reads = 0;
  const kept = new Map<string, Uint8Array>();
  for (const { id } of [...files, { id: root }]) kept.set(Buffer.from(id.digest).toString('hex'), await dag.read(id.digest));
  const { app, held } = gatewayOver({
    block: (digest) => {
      reads++;
      return kept.get(Buffer.from(digest).toString('hex')) ?? blocks.now(digest);
    },
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}/ipfs/${cidText(root, 1)}?format=car`;
  await new Promise<void>((resolve) => {
    get(url, { agent: false }, (response) => {
      response.once('data', () => {
        assert.equal(held(), 1);
        response.destroy();
        resolve();
      });
    });
  });
  await allReleased({ app, held });
  assert.ok(reads < 600, `${reads} reads`);
  const whole = await fetch(url);
  assert.equal((await cidsIn(Buffer.from(await whole.arrayBuffer()))).length, 601);
  await app.close();
});
