import assert from 'node:assert/strict';
import { test } from 'node:test';
import { murmur364 } from '@multiformats/murmur3';
import fc from 'fast-check';
import type { BlockId, ByteString } from '../core/model.ts';
import { HostileDag } from '../testing/hostile-dag.ts';
import { hamtLinks } from './hamt-reader.ts';
import { decodeNode } from './node-reader.ts';

/** The slots that a name's hash leads through, by big numbers. */
async function slotsOf(name: ByteString, fanout: number): Promise<number[]> {
  const hash = BigInt(`0x${Buffer.from(await murmur364.encode(Buffer.from(name, 'latin1'))).toString('hex')}`);
  const bits = BigInt(Math.log2(fanout));
  const slots: number[] = [];
  for (let shift = 64n - bits; shift >= 0n; shift -= bits) slots.push(Number((hash >> shift) & BigInt(fanout - 1)));
  return slots;
}

const prefix = (slot: number, fanout: number) =>
  slot
    .toString(16)
    .toUpperCase()
    .padStart((fanout - 1).toString(16).length, '0');

async function read(dag: HostileDag, root: BlockId, onLost?: (error: unknown) => void): Promise<ByteString[]> {
  const links = await hamtLinks(root, decodeNode(await dag.read(root.digest)), ({ digest }) => dag.read(digest), onLost);
  return links.map(({ name }) => name);
}

test('a HAMT of any fanout is read, and an entry under a slot that is not of its name is refused, at whatever level', async () => {
  const law = fc.asyncProperty(
    fc.constantFrom(8, 16, 32, 64, 128, 256, 512, 1024),
    fc.string({ minLength: 1 }),
    fc.nat(20),
    fc.nat(20),
    async (fanout, text, level, wrong) => {
      const name = Buffer.from(text).toString('latin1');
      const slots = (await slotsOf(name, fanout)).slice(0, level + 1);
      const build = (path: readonly number[]) => {
        const dag = new HostileDag();
        let below = { id: dag.raw(Buffer.from('content')), name: `${prefix(path.at(-1) as number, fanout)}${name}` };
        for (const slot of path.slice(0, -1).reverse()) below = { id: dag.hamt([below], fanout), name: prefix(slot, fanout) };
        return [dag, dag.hamt([below], fanout)] as const;
      };
      assert.deepEqual(await read(...build(slots)), [name]);
      const other = slots.with(wrong % slots.length, ((slots[wrong % slots.length] as number) + 1) % fanout);
      await assert.rejects(read(...build(other)), { code: 'DAMAGE', message: /not where its name belongs/ });
    },
  );
  await fc.assert(law, { numRuns: 200 });
});

for (const [what, bottom] of [
  ['empty', []],
  ['one entry', ['000name']],
] as const) {
  test(`a HAMT in which every slot leads to the node below, fifteen times over, is refused within its blocks (${what})`, async () => {
    const fanout = 1024;
    for (const levels of [1, 5, 15]) {
      const dag = new HostileDag();
      const leaf = dag.raw(Buffer.from('content'));
      let below = dag.hamt(
        bottom.map((name) => ({ id: leaf, name })),
        fanout,
      );
      for (let level = 0; level < levels; level++)
        below = dag.hamt(
          Array.from({ length: fanout }, (_, slot) => ({ id: below, name: prefix(slot, fanout) })),
          fanout,
        );
      // Also where what is lost would be passed over: nothing of it is lost.
      for (const onLost of [undefined, () => assert.fail('nothing is lost')]) {
        dag.reads = 0;
        await assert.rejects(read(dag, below, onLost), { code: 'DAMAGE' });
        assert.ok(dag.reads <= dag.size);
      }
    }
  });
}

test('a part that is missing is told of once, however many slots lead to it', async () => {
  const dag = new HostileDag();
  const missing = new HostileDag().hamt([], 256);
  const root = dag.hamt(
    Array.from({ length: 256 }, (_, slot) => ({ id: missing, name: prefix(slot, 256) })),
    256,
  );
  let lost = 0;
  await assert.rejects(
    read(dag, root, () => lost++),
    { code: 'DAMAGE', message: /holds one node twice/ },
  );
  assert.equal(lost, 1);
});
