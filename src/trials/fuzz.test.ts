/**
 * Random trees of strangers, honest ones and lies. `SHARDCTL_FUZZ_CASES` says how many; a case that fails is printed with its seed and
 * path, and comes again with `SHARDCTL_FUZZ_SEED` and `SHARDCTL_FUZZ_PATH`.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import { sampled } from '../testing/depth.ts';
import { FuzzPlace, type Outcome, restoreUnchecked, runFuzzCase } from '../testing/fuzz/fuzz-case.ts';
import { recipe } from '../testing/fuzz/recipe.ts';
import { runSnapshotCase, snapshotRecipe } from '../testing/fuzz/snapshot-case.ts';

const CASES = Number(process.env.SHARDCTL_FUZZ_CASES ?? sampled(100, 300));
/** Within `npm test` always the same, so that what fails there is what was changed; a long run looks for what is new. */
const SEED = process.env.SHARDCTL_FUZZ_SEED ?? (process.env.SHARDCTL_FUZZ_CASES === undefined ? '1' : undefined);
const PATH = process.env.SHARDCTL_FUZZ_PATH;
const CHOICE = {
  numRuns: CASES,
  includeErrorInReport: true,
  ...(SEED === undefined ? {} : { seed: Number(SEED) }),
  ...(PATH === undefined ? {} : { path: PATH }),
};

/** For a case that never ends. */
const HANGS_MS = 15 * 60_000;
const MOST_MEMORY_KB = 2 * 1024 * 1024;

describe(`${CASES} random CARs`, { timeout: HANGS_MS }, () => {
  let dir: string;
  let place: FuzzPlace;
  before(() => {
    dir = mkdtempSync(join(tmpdir(), 'shardctl-fuzz-'));
    place = new FuzzPlace(dir);
  });
  after(() => rmSync(dir, { recursive: true, force: true }));

  test('what import-car takes, get brings back as it is; nothing else is touched, and the work is that of what came in', async (t) => {
    const outcomes: Record<Outcome, number> = { refused: 0, taken: 0, large: 0 };
    await fc.assert(
      fc.asyncProperty(recipe, async (it) => {
        outcomes[await runFuzzCase(it, place)]++;
      }),
      CHOICE,
    );
    t.diagnostic(JSON.stringify(outcomes));
    if (PATH === undefined) assert.ok(outcomes.taken > CASES / 5 && outcomes.refused > CASES / 20, JSON.stringify(outcomes));
    assert.ok(process.resourceUsage().maxRSS < MOST_MEMORY_KB, `${process.resourceUsage().maxRSS} KB`);
  });

  test('what nobody has checked is restored as far as it goes, and touches nothing else', async () => {
    await fc.assert(
      fc.asyncProperty(recipe, (it) => restoreUnchecked(it, place)),
      { ...CHOICE, numRuns: CASES / 4 },
    );
  });

  test('whatever a snapshot says, recover ends with what came back or with words, and writes into its home alone', async (t) => {
    let recovered = 0;
    await fc.assert(
      fc.asyncProperty(snapshotRecipe, async (it) => {
        recovered += await runSnapshotCase(it, dir);
      }),
      { ...CHOICE, numRuns: Math.ceil(CASES / 20) },
    );
    t.diagnostic(`${recovered} came back`);
  });
});
