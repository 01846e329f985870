/** Whole runs against the CIDs that Kubo computed for the trees of src/testing/golden-recipe.ts. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { sampled } from '../testing/depth.ts';
import { profileOfGolden, readGolden } from '../testing/golden.ts';
import { makeCase } from '../testing/golden-recipe.ts';
import { TestHome } from '../testing/run.ts';

const golden = readGolden(fileURLToPath(new URL('../../../fixtures/golden/golden.json', import.meta.url)));

// At full length every third: src/dag/golden.trial.test.ts has all of them, without the rest of an add.
describe('the root of an add is the root of ipfs add', () => {
  const step = sampled(24, 3);
  const runs = Object.entries(golden.cases).filter((_, at) => at % step === 0);
  for (const [name, run] of runs) {
    test(name, async () => {
      const dir = mkdtempSync(join(tmpdir(), 'shardctl-golden-'));
      const home = await TestHome.create();
      try {
        const source = join(dir, 'tree');
        mkdirSync(source);
        makeCase(run.recipe, source);
        const { summary } = await home.add(source, { metadata: run.metadata === true, profile: profileOfGolden(run) });
        assert.equal(summary.tree, run.cid);
      } finally {
        home.remove();
        rmSync(dir, { recursive: true, force: true });
      }
    });
  }
});
