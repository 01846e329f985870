/** A catalogue goes to every peer; one that hangs is not waited for when enough others have it, and never before. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { ShardctlError } from '../core/errors.ts';
import type { PlacedShard, Stray } from '../core/model.ts';
import type { Index } from '../index/index.ts';
import type { Peer, PutOptions, SealedShard } from '../peer/peer.ts';
import { placeCatalogue } from './place-catalogue.ts';

const STEP_MS = 500;

interface Fate {
  readonly ms: number;
  readonly fails: boolean;
  /** It ends at once when it is given up. */
  readonly hears: boolean;
}

const fate = (fails: fc.Arbitrary<boolean>): fc.Arbitrary<Fate> =>
  fc.record({ ms: fc.constantFrom(0, 1, 400, 5_000, 9_999, 10_001, 60_000, 500_000), fails, hears: fc.boolean() });

/** As many peers as a shard needs replicas take it in the end. */
const plans = fc
  .record({
    able: fc.array(fate(fc.constant(false)), { minLength: 1, maxLength: 3 }),
    others: fc.array(fate(fc.boolean()), { maxLength: 3 }),
  })
  .chain(({ able, others }) => {
    const all = [...able, ...others];
    return fc.record({ least: fc.constant(able.length), fates: fc.shuffledSubarray(all, { minLength: all.length }) });
  });

test('whatever peers do, as long as enough take it in the end, the catalogue is on as many as a shard needs, and on all that were not much slower', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  await fc.assert(
    fc.asyncProperty(plans, async ({ least, fates }) => {
      const spool = mkdtempSync(join(tmpdir(), 'shardctl-catalogue-'));
      const strays: Stray[] = [];
      const has = new Set<string>();
      let begun = 0;
      const names = fates.map((_, i) => `p${i}`);
      const peerOf = (name: string, { ms, fails, hears }: Fate) => ({
        name,
        put: async ({ carPath }: SealedShard, { signal }: PutOptions) => {
          assert.ok(
            strays.some(({ peers }) => peers.includes(name)),
            'announced',
          );
          assert.ok(existsSync(carPath));
          begun++;
          signal.addEventListener('abort', () => assert.ok(has.size >= least, 'given up, and was needed'), { once: true });
          await new Promise<void>((resolve, reject) => {
            globalThis.setTimeout(resolve, ms);
            if (hears) signal.addEventListener('abort', () => reject(signal.reason), { once: true });
          });
          if (fails) throw new ShardctlError('IO', 'broken');
          has.add(name);
        },
      });
      const index = { nextShardNumber: () => 0, noteStray: async (stray: Stray) => void strays.push(stray) };
      const run = {
        spool,
        index: index as unknown as Index,
        peers: new Map(fates.map((fate, i) => [`p${i}`, peerOf(`p${i}`, fate) as unknown as Peer])),
        replication: { min: least, max: least },
        emit: () => {},
        signal: new AbortController().signal,
      };
      try {
        let placed: PlacedShard | undefined;
        let failure: unknown;
        placeCatalogue(run, { label: 'test', blocks: [Buffer.from('a block')], peerNames: names }).then(
          (catalogue) => {
            placed = catalogue;
          },
          (error: unknown) => {
            failure = error;
          },
        );
        // The catalogue is written to a real disk, which knows nothing of the clock here.
        while (begun < names.length && failure === undefined) await setImmediate();
        for (let passed = 0; placed === undefined && failure === undefined; passed += STEP_MS) {
          for (let turns = 0; turns < 3; turns++) await setImmediate();
          assert.ok(passed < 3_600_000, 'it ends');
          t.mock.timers.tick(STEP_MS);
        }
        assert.equal(failure, undefined);
        const holders = placed?.peers ?? [];
        assert.ok(holders.length >= least, `${holders.length} of ${least}`);
        for (const name of holders) assert.ok(has.has(name), `${name} has it`);
        // Whoever takes it within the patience after the last that was needed has it too.
        const [needed = 0] = fates
          .filter(({ fails }) => !fails)
          .map(({ ms }) => ms)
          .sort((a, b) => a - b)
          .slice(least - 1);
        for (const [i, { ms, fails }] of fates.entries()) if (!fails && ms <= needed + 9_000) assert.ok(holders.includes(`p${i}`));
        assert.deepEqual(readdirSync(spool), []);
      } finally {
        rmSync(spool, { recursive: true });
      }
    }),
    { numRuns: 100, includeErrorInReport: true },
  );
});
