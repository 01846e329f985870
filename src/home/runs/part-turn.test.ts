import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { notePartsRead, partInTurn } from './part-turn.ts';

const runs = mkdtempSync(join(tmpdir(), 'shardctl-part-'));
after(() => rmSync(runs, { recursive: true }));

test('as many runs as there are parts read each part once, whatever a run takes', () => {
  for (const [parts, count] of [
    [30, 1],
    [7, 1],
    [30, 4],
  ] as const) {
    notePartsRead(runs, [], { first: 0, count: 0, parts });
    const seen: number[] = [];
    for (let run = 0; run < Math.ceil(parts / count); run += 1) {
      const first = partInTurn(runs, [], parts);
      for (let at = 0; at < count; at += 1) seen.push((first + at) % parts);
      notePartsRead(runs, [], { first, count, parts });
    }
    assert.equal(new Set(seen).size, parts);
  }
});

test('repositories that are checked by themselves have turns of their own', () => {
  notePartsRead(runs, ['npm'], { first: 3, count: 1, parts: 30 });
  notePartsRead(runs, ['b', 'a'], { first: 8, count: 1, parts: 30 });
  notePartsRead(runs, [], { first: 5, count: 1, parts: 30 });
  assert.deepEqual(
    [['npm'], ['a', 'b'], [], ['other']].map((names) => partInTurn(runs, names, 30)),
    [4, 9, 6, 0],
  );
});

test('with other parts it goes on at the same place, and without a readable note at the beginning', () => {
  notePartsRead(runs, [], { first: 14, count: 1, parts: 30 });
  assert.equal(partInTurn(runs, [], 10), 5);
  for (const turn of ['', 'null', '7', '{"next":-1,"parts":30}', '{"next":30,"parts":30}', '{"next":1}', '{"next":"1","parts":3}']) {
    for (const text of [turn, `{"":${turn}}`]) {
      writeFileSync(join(runs, 'check-part.json'), text);
      assert.equal(partInTurn(runs, [], 30), 0, text);
    }
  }
});
