import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { DigestMap } from '../core/digest-map.ts';
import type { RepositoryRecord, ShardRecord, SnapshotRecord } from '../core/model.ts';
import { sampled } from '../testing/depth.ts';
import { Index } from './index.ts';

const scratch = mkdtempSync(join(tmpdir(), 'shardctl-two-runs-'));
after(() => rmSync(scratch, { recursive: true }));

const NAMES = ['debian', 'npm'] as const;
const catalogue = { cid: 'c', bytes: 1, blocks: 1, carBytes: 1, peers: ['p'] };

function shardOf(number: number): ShardRecord {
  return { number, cid: `s${number}`, bytes: 1, blocks: 1, dagSize: 1, carBytes: 1, state: 'placed', peers: ['p'] };
}

function snapshotOf(repository: string, number: number, shards: readonly number[]): SnapshotRecord {
  const counts = { files: 1, directories: 0, symlinks: 0 };
  return {
    ...{ repository, number, cid: `${repository}@${number}`, tree: 't', parent: null, time: '2026-01-01T00:00:00Z', counts, bytes: 1 },
    ...{ shards, catalogue, profile: 'unixfs-v1-2025', metadata: true, tool: 'test' },
  } as SnapshotRecord;
}

function repositoryOf(name: string, head: number): RepositoryRecord {
  return { name, source: `/srv/${name}`, head, profile: 'unixfs-v1-2025', metadata: true, filters: [] } as unknown as RepositoryRecord;
}

test('two runs commit to one index: no number is given twice, and whoever opens it finds the last head of each', async () => {
  const step = fc.record({ run: fc.nat(1), what: fc.constantFrom('add', 'commit', 'both', 'reopen', 'look') });
  let homes = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      const dir = join(scratch, `${homes++}`);
      await (await Index.open(dir)).close();
      const opened = () => Index.open(dir, { sharing: { isAlone: false, tryTask: () => undefined } });
      const runs = [await opened(), await opened()];
      const heads = [0, 0];
      const named: number[][] = [[], []];
      const digests = new DigestMap();
      digests.add(Buffer.alloc(32, 1), 0, 1);
      const add = async (run: number) => {
        const number = (await runs[run]?.takeShardNumber()) ?? -1;
        assert.ok(!named.flat().includes(number));
        named[run]?.push(number);
        await runs[run]?.addPlaced(shardOf(number), digests);
      };
      const commit = async (run: number) => {
        const [name, number] = [NAMES[run] as string, (heads[run] ?? 0) + 1];
        heads[run] = number;
        runs[run]?.entries.write(name, number, { rootMode: 0o755, rootMtime: 0n }, () => false).finish();
        await runs[run]?.commit(repositoryOf(name, number), snapshotOf(name, number, named[run] ?? []));
      };
      for (const { run, what } of steps) {
        if (what === 'add') await add(run);
        if (what === 'commit') await commit(run);
        // One ends while the other is in the middle of its commit.
        if (what === 'both') {
          const committing = commit(run);
          await runs[1 - run]?.close();
          runs[1 - run] = await opened();
          await committing;
        }
        if (what === 'reopen') {
          await runs[run]?.close();
          runs[run] = await opened();
        }
        if (what === 'look') runs[run]?.refresh();
        const reader = await Index.open(dir, { readOnly: true });
        for (const [at, name] of NAMES.entries()) {
          const expected = heads[at] === 0 ? undefined : heads[at];
          assert.equal(reader.repository(name)?.head, expected, `${name} after ${what}`);
          if (expected === undefined) continue;
          for (const number of reader.snapshot(name, expected)?.shards ?? []) assert.equal(reader.shard(number)?.state, 'committed');
        }
        await reader.close();
      }
      for (const run of runs) await run.close();
    }),
    { numRuns: sampled(8, 60) },
  );
});
