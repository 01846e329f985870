import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ShardRecord } from '../../core/model.ts';
import { Index } from '../index.ts';

const cid = fc.constantFrom('one', 'two', 'three');
const peers = fc.subarray(['a', 'b', 'c', 'd']);
const step = fc.oneof(
  fc.record({ kind: fc.constant('note' as const), cid, peers }),
  fc.record({ kind: fc.constant('drop' as const), cid, peers }),
  fc.record({ kind: fc.constant('drop everywhere' as const), cid }),
  fc.record({ kind: fc.constant('record' as const), cid, peers }),
);

const shardOf = (name: string, holders: readonly string[]): ShardRecord => ({
  number: ['one', 'two', 'three'].indexOf(name),
  cid: name,
  ...{ bytes: 1, blocks: 1, dagSize: 1, carBytes: 1 },
  state: 'placed',
  peers: holders,
});

test('what may be on peers is what was noted, without what was dropped and what a record accounts for; also after a reopening', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'shardctl-strays-'));
  let run = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 15 }), async (steps) => {
      const path = join(dir, `${run++}`);
      const index = await Index.open(path);
      const model = new Map<string, Set<string>>();
      for (const it of steps) {
        const known = model.get(it.cid) ?? new Set();
        if (it.kind === 'note') {
          await index.noteStray(it);
          model.set(it.cid, new Set([...known, ...it.peers]));
        } else if (it.kind === 'drop everywhere') {
          await index.dropStray(it.cid);
          model.delete(it.cid);
        } else {
          if (it.kind === 'drop') await index.dropStray(it.cid, it.peers);
          else await index.updateShards([shardOf(it.cid, it.peers)]);
          model.set(it.cid, new Set([...known].filter((name) => !it.peers.includes(name))));
        }
        assert.deepEqual(plain(index), expected(model));
      }
      await index.close();
      const again = await Index.open(path, { readOnly: true });
      assert.deepEqual(plain(again), expected(model));
      await again.close();
    }),
    { numRuns: 20 },
  );
  rmSync(dir, { recursive: true });
});

function plain(index: Index): string[] {
  return index
    .strays()
    .map((stray) => `${stray.cid}: ${[...stray.peers].sort()}`)
    .sort();
}

function expected(model: ReadonlyMap<string, ReadonlySet<string>>): string[] {
  return [...model]
    .filter(([, holders]) => holders.size > 0)
    .map(([name, holders]) => `${name}: ${[...holders].sort()}`)
    .sort();
}
