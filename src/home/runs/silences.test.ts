import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { noteSilences, silencesIn } from './silences.ts';

const scratch = mkdtempSync(join(tmpdir(), 'shardctl-silences-'));
after(() => rmSync(scratch, { recursive: true }));
const fresh = () => mkdtempSync(join(scratch, 'runs-'));

test('a silence counts from the first run that met it, until the peer answers', () => {
  const runs = fresh();
  assert.deepEqual([...noteSilences(runs, ['a', 'b'], new Set(['a']), 1000)], [['a', 1000]]);
  assert.deepEqual([...noteSilences(runs, ['a', 'b'], new Set(['a', 'b']), 2000)].sort(), [
    ['a', 1000],
    ['b', 2000],
  ]);
  assert.deepEqual([...noteSilences(runs, ['a', 'b'], new Set(['b']), 3000)], [['b', 2000]]);
  assert.deepEqual([...noteSilences(runs, ['a', 'b'], new Set(['a', 'b']), 4000)].sort(), [
    ['a', 4000],
    ['b', 2000],
  ]);
  noteSilences(runs, ['a', 'b'], new Set(), 5000);
  assert.equal(existsSync(join(runs, 'silent.json')), false);
});

test('a peer that is none any more is forgotten', () => {
  const runs = fresh();
  noteSilences(runs, ['a', 'b'], new Set(['a', 'b']), 1000);
  noteSilences(runs, ['b'], new Set(['b']), 2000);
  assert.deepEqual([...silencesIn(runs)], [['b', 1000]]);
});

test('a note from the future counts from now, and one that is none is none', () => {
  const runs = fresh();
  noteSilences(runs, ['a'], new Set(['a']), 9000);
  assert.deepEqual([...noteSilences(runs, ['a'], new Set(['a']), 1000)], [['a', 1000]]);
  for (const text of ['', '{', 'null', '[1]', '{"a":7}', '{"a":"soon"}']) {
    writeFileSync(join(runs, 'silent.json'), text);
    assert.deepEqual([...silencesIn(runs)], [], text);
  }
});

test('a place that cannot be written is no error', () => {
  const runs = join(fresh(), 'file');
  writeFileSync(runs, '');
  assert.deepEqual([...noteSilences(runs, ['a'], new Set(['a']), 1000)], [['a', 1000]]);
});
