import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { toBytes } from '../fs-path.ts';
import { writeTree } from '../testing/tree.ts';
import { compileFilter } from './filter.ts';
import { walk } from './walk.ts';

test('as long as it is not known what to say of a directory, the walk pauses, and then it says the same', () => {
  const source = mkdtempSync(join(tmpdir(), 'shardctl-source-'));
  writeTree(source, { a: 'one', sub: { b: 'two', deep: { c: 'three' } } });
  const asked: string[] = [];
  const recall = {
    // Ready when asked for the third time.
    isReady: (path: string) => asked.push(path) % 3 === 0,
    same: () => undefined,
    directory: () => undefined,
  };
  const steps = (its: object) => {
    const { signal } = new AbortController();
    const options = { filter: compileFilter([]), emit: () => {}, signal, ...its };
    return [...walk(toBytes(source), options)].map((step) => `${step.kind} ${'directory' in step ? step.directory.path : ''}`);
  };
  const paused = steps({ recall });
  rmSync(source, { recursive: true });
  assert.deepEqual(asked, ['', '', '', 'sub', 'sub', 'sub', 'sub/deep', 'sub/deep', 'sub/deep']);
  const two = ['pause ', 'pause '];
  assert.deepEqual(paused, [...two, 'enter ', ...two, 'enter sub', ...two, 'enter sub/deep', 'leave sub/deep', 'leave sub', 'leave ']);
});
