/** What a stranger's indexes can make a judge remember, and look for. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MOST_CONTRADICTIONS } from '../../core/verdict.ts';
import { judgedTree } from '../../testing/judged-tree.ts';
import { Comparison } from './comparison.ts';
import { Findings, MOST_COUNTED } from './findings.ts';
import { CLAIMS } from './unit-reader.ts';

const INDEX = 'dists/stable/main/binary-amd64/Packages';
const missing = (path: string) => ({ kind: 'debian', what: 'missing', index: INDEX, path, detail: 'is not there' }) as const;

/** @param length of each path */
function withMissing(count: number, length: number): Findings {
  const findings = new Findings();
  for (let i = 0; i < count; i++) findings.contradict(missing(String(i).padStart(length, 'x')));
  return findings;
}

test('of a partial mirror all contradictions are kept, of which each may be an old one; of long paths as many as memory should hold', () => {
  assert.equal(withMissing(90_000, 120).all().length, 90_000);
  const long = withMissing(20_000, 4096);
  assert.deepEqual([long.all().length, long.verdict().count, long.verdict().contradictions.length], [0, 20_000, MOST_CONTRADICTIONS]);
});

test('after a million contradictions no other one is looked for', async () => {
  const found = async (before: number) => {
    const findings = withMissing(before, 8);
    const tree = judgedTree(new Map());
    const signal = new AbortController().signal;
    const comparison = new Comparison({ tree, changed: undefined, findings, isLenient: true, isCredulous: true, signal });
    async function* claims() {
      yield ['a', 'b', 'c'].map((path) => ({ path, named: path, size: 1, digest: undefined }));
    }
    await comparison.index('debian', INDEX, CLAIMS, claims, undefined);
    return findings.verdict().count;
  };
  assert.equal(await found(0), 3);
  assert.equal(await found(MOST_COUNTED - 1), MOST_COUNTED);
});
