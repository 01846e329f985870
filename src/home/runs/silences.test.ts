import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { keepSilences, type Silence, silencesAfter, silencesIn } from './silences.ts';

const scratch = mkdtempSync(join(tmpdir(), 'shardctl-silences-'));
after(() => rmSync(scratch, { recursive: true }));
const fresh = () => mkdtempSync(join(scratch, 'runs-'));

/** A run at that time, which tells of whoever is silent for 1500 ms. @returns since when each peer is silent; `!` where a run has told of it */
function run(runs: string, peers: readonly string[], silent: readonly string[], now: number, unasked: readonly string[] = []): string[] {
  const before = silencesIn(runs);
  const heard = { peers, silent: new Set(silent), unasked: new Set(unasked) };
  const later = silencesAfter(before, heard, now, (since) => now - since >= 1500);
  keepSilences(runs, before, later);
  assert.deepEqual(silencesIn(runs), later);
  return textsOf(later);
}

const textsOf = (silences: ReadonlyMap<string, Silence>) =>
  [...silences].map(([name, { since, isTold }]) => `${name} ${since}${isTold ? '!' : ''}`).sort();

test('a silence counts from the first run that met it, until the peer answers', () => {
  const runs = fresh();
  assert.deepEqual(run(runs, ['a', 'b'], ['a'], 1000), ['a 1000']);
  assert.deepEqual(run(runs, ['a', 'b'], ['a', 'b'], 2000), ['a 1000', 'b 2000']);
  assert.deepEqual(run(runs, ['a', 'b'], ['b'], 3000), ['b 2000']);
  assert.deepEqual(run(runs, ['a', 'b'], ['a', 'b'], 4000), ['a 4000', 'b 2000!']);
  assert.deepEqual(run(runs, ['a', 'b'], ['a', 'b'], 4100), ['a 4000', 'b 2000!']);
  run(runs, ['a', 'b'], [], 5000);
  assert.equal(existsSync(join(runs, 'silent.json')), false);
  assert.deepEqual(run(runs, ['a', 'b'], ['b'], 6000), ['b 6000'], 'its next silence is news again');
});

test('what is noted of a peer that was not asked stays', () => {
  const runs = fresh();
  run(runs, ['a', 'b', 'c'], ['a'], 1000);
  assert.deepEqual(run(runs, ['a', 'b', 'c'], [], 3000, ['a', 'b']), ['a 1000']);
});

test('a peer that is none any more is forgotten', () => {
  const runs = fresh();
  run(runs, ['a', 'b'], ['a', 'b'], 1000);
  assert.deepEqual(run(runs, ['b'], ['b'], 2000), ['b 1000']);
});

test('a note from the future counts from now, and one that is none is none', () => {
  const runs = fresh();
  run(runs, ['a'], ['a'], 9000);
  assert.deepEqual(run(runs, ['a'], ['a'], 1000), ['a 1000']);
  for (const text of ['', '{', 'null', '[1]', '{"a":7}', '{"a":null}', '{"a":{"since":"soon"}}']) {
    writeFileSync(join(runs, 'silent.json'), text);
    assert.deepEqual(textsOf(silencesIn(runs)), [], text);
  }
});

test('a place that cannot be written is no error', () => {
  const runs = join(fresh(), 'file');
  writeFileSync(runs, '');
  keepSilences(runs, new Map(), new Map([['a', { since: 1000, isTold: false }]]));
});
