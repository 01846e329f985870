/** What a run has made itself is not read from the peers for the gate. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { sha256 } from '../dag/cid.ts';
import { BatchBuilder, ownBlocks } from '../shard/batch.ts';
import { beginEach } from '../testing/each.ts';
import { FakeGate } from '../testing/fake-gate.ts';
import type { TestHome } from '../testing/run.ts';
import { writeTree } from '../testing/tree.ts';
import { FreshBlocks } from './fresh-blocks.ts';

const SMALL = 4096;

let dir: string;
let home: TestHome;
beginEach((its, itsHome) => {
  dir = its;
  home = itsHome;
});

test('each block is what it was, in whatever batches it came; memory holds no more than it may, and the others are read', async () => {
  const lengths = fc.array(fc.array(fc.constantFrom(1, 100, SMALL, SMALL + 1, 20_000), { maxLength: 6 }), { maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(lengths, fc.constantFrom(1000, 10_000, 50_000, 1_000_000), async (batches, most) => {
      const fresh = new FreshBlocks(most);
      const all: Buffer[] = [];
      for (const batch of batches) {
        const builder = new BatchBuilder();
        for (const length of batch) {
          const block = Buffer.alloc(length, String.fromCharCode(33 + all.length));
          all.push(block);
          builder.add(block);
        }
        const bytes = builder.take();
        fresh.note(ownBlocks(bytes));
        // As memory that is used again.
        bytes.fill(0);
      }
      const read: number[] = [];
      const blocks = fresh.before({
        read: async (digest) => {
          const found = all.findIndex((block) => Buffer.compare(sha256(block), digest) === 0);
          read.push(found);
          return all[found] as Buffer;
        },
      });
      for (const block of all) assert.deepEqual(Buffer.from(await blocks.read(sha256(block))), block);
      const sum = (some: readonly Buffer[]) => some.reduce((bytes, { length }) => bytes + length, 0);
      assert.ok(sum(all.filter((_, i) => !read.includes(i))) <= most);
      const small = all.filter(({ length }) => length <= SMALL);
      if (sum(all) <= most) assert.deepEqual(read, []);
      else if (sum(small) <= most)
        assert.deepEqual(
          read,
          [...all.keys()].filter((i) => (all[i]?.length ?? 0) > SMALL),
        );
    }),
  );
});

test('a judge of an update opens no shard that the run has placed; of a tree that was not passed it does', async () => {
  const opened: string[] = [];
  const peer = home.peers.get('local');
  assert.ok(peer);
  const open = peer.open.bind(peer);
  peer.open = async (cid) => {
    opened.push(cid);
    return await open(cid);
  };
  const gate = new FakeGate();
  const placed = async (files: Readonly<Record<string, string>>) => {
    for (const [path, text] of Object.entries(files)) writeFileSync(join(dir, path), text);
    opened.length = 0;
    const { events, summary } = await home.add(dir, { gate: gate.order() });
    return { outcome: summary.gate?.outcome, hasOpened: events.some((event) => event.type === 'sealed' && opened.includes(event.cid)) };
  };
  writeTree(dir, { index: 'a\n', a: '1' });
  assert.deepEqual(await placed({}), { outcome: 'passed', hasOpened: true });
  assert.deepEqual(await placed({ index: 'a\nb\n', b: '2' }), { outcome: 'passed', hasOpened: false });
  assert.deepEqual(await placed({ index: 'a\nb\nc\n' }), { outcome: 'held', hasOpened: false });
  assert.deepEqual(await placed({ c: '3' }), { outcome: 'passed', hasOpened: true });
  assert.deepEqual(
    gate.asked.map(({ changed }) => changed.length > 0),
    [false, true, true, true],
  );
});
