import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { FullPeers } from './full-peers.ts';

test('that a peer is full is known to the runs after the one that has told it, until one finds room there', (t) => {
  const runs = join(mkdtempSync(join(tmpdir(), 'shardctl-full-')), 'runs');
  t.after(() => rmSync(join(runs, '..'), { recursive: true }));
  const known = () => ['a', 'b'].filter((name) => new FullPeers(runs).isKnown(name));
  const noted = (full: readonly string[], others: readonly string[]) => {
    const run = new FullPeers(runs);
    run.note(full, others);
    run.save();
  };
  const run = new FullPeers(runs);
  run.note([], ['a', 'b']);
  run.save();
  assert.deepEqual(known(), []);
  run.note(['a'], ['b']);
  assert.deepEqual(known(), [], 'a run that dies before it has told of it leaves it to the next one');
  run.save();
  assert.equal(run.isKnown('a'), false, 'for the run itself it is news');
  assert.deepEqual(known(), ['a']);
  noted(['b'], []);
  assert.deepEqual(known(), ['a', 'b'], 'of one that was not asked it stays');
  noted([], ['a']);
  assert.deepEqual(known(), ['b']);
  noted(['a'], ['b']);
  assert.deepEqual(known(), ['a'], 'as many as before, and others');
  noted([], ['a', 'b']);
  assert.deepEqual(readdirSync(runs), []);
  for (const text of ['', '{', 'null', '{"a":1}', '[1]']) {
    writeFileSync(join(runs, 'full.json'), text);
    assert.deepEqual(known(), []);
  }
});
