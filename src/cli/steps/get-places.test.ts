import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { placesOf } from './get-places.ts';
import type { OpenTree } from './open-tree.ts';

const UP = '\x1b[1A';
const tree = (path: string, ref = 'mirror') => ({ path: Buffer.from(path).toString('latin1'), ref }) as OpenTree;
const absolute = (path: string) => join('/here', path);

test('what is written has its name, byte for byte, and what is told of it moves no cursor', async () => {
  for (const [trees, target, out, shown] of [
    [[tree('')], `out${UP}`, `/here/out${UP}`, 'out\\x1B[1A'],
    [[tree(`a/b${UP}`)], 'out/', `/here/out/b${UP}`, `'out/b\\x1B[1A'`],
    [[tree('a\n'), tree('b')], `${UP}/`, `/here/${UP}/a\n`, `'\\x1B[1A/a\\n'`],
  ] as const) {
    const [place] = await placesOf(trees, target, absolute);
    assert.deepEqual([place?.out, place?.shown], [out, shown]);
  }
});

test('two of one name are refused, in words that move no cursor', async () => {
  await assert.rejects(placesOf([tree(`a/x${UP}`), tree(`b/x${UP}`)], `out${UP}`, absolute), {
    code: 'USAGE',
    message: 'two of these would be called "x\\x1B[1A" in out\\x1B[1A',
  });
});
