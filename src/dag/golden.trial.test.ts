import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { sampled } from '../testing/depth.ts';
import { type Golden, nameOf, profileOfGolden, RUNS, readGolden } from '../testing/golden.ts';
import { makeCase, RECIPE_NAMES } from '../testing/golden-recipe.ts';
import { treeRoot } from '../testing/tree-root.ts';
import { cidText } from './cid.ts';

const { cases } = readGolden();

test('golden.json holds a CID for every run, and every recipe is run', () => {
  assert.deepEqual(Object.keys(cases), RUNS.map(nameOf));
  assert.deepEqual(new Set(RUNS.map((run) => run.recipe)), new Set(RECIPE_NAMES));
});

describe("the encoders give Kubo's CID", () => {
  const step = sampled(16, 1);
  for (const recipe of RECIPE_NAMES.filter((_, at) => at % step === 0)) {
    const runs = Object.values(cases).filter((golden) => golden.recipe === recipe);
    test(recipe, async (t) => {
      const dir = mkdtempSync(join(tmpdir(), 'shardctl-golden-'));
      t.after(() => rmSync(dir, { recursive: true }));
      makeCase(recipe, join(dir, 'tree'));
      for (const golden of runs) assert.equal(await cidOf(join(dir, 'tree'), golden), golden.cid, nameOf(golden));
    });
  }
});

async function cidOf(dir: string, golden: Golden): Promise<string> {
  const profile = profileOfGolden(golden);
  return cidText(await treeRoot(dir, { profile, metadata: golden.metadata ?? false }), profile.cidVersion);
}
