import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { onlyInAll } from '../../testing/depth.ts';
import { Program } from '../../testing/program.ts';

const program = new Program();
after(() => program.dispose());

type Line = Record<string, number | string | null | readonly string[]>;

function stats(...names: string[]): Line[] {
  return program.succeeds('stats', '--json', ...names).lines.map((line) => JSON.parse(line) as Line);
}

test('what a snapshot adds is what none before it has, and what repositories share counts once', { skip: onlyInAll() }, () => {
  for (const name of ['a', 'b']) program.succeeds('peers', 'add', 'local', name);
  for (const dir of ['one', 'two']) mkdirSync(program.path(dir));
  const [first, second] = [randomBytes(300_000), randomBytes(50_000)];
  for (const dir of ['one', 'two']) writeFileSync(program.path(dir, 'first'), first);
  program.succeeds('add', 'one', '-q', '--replication', '2');
  writeFileSync(program.path('one', 'second'), second);
  program.succeeds('update', 'one', '-q');
  program.succeeds('add', 'two', '-q', '--replication', '1:2');

  const [one, two, both] = stats('one') as [Line, Line, Line];
  assert.deepEqual([one.number, one.bytes, two.number, two.bytes], [1, 300_000, 2, 350_000]);
  const [addedByOne, addedByTwo] = [one.addedBytes, two.addedBytes] as [number, number];
  assert.ok(addedByOne > 300_000 && addedByOne < 310_000, `${addedByOne}`);
  assert.ok(addedByTwo > 50_000 && addedByTwo < 60_000, `${addedByTwo}`);
  assert.equal(two.storedBytes, addedByOne + addedByTwo);
  assert.deepEqual(
    [both.repository, both.snapshots, both.bytes, both.storedBytes, both.grownBytes],
    ['one', 2, 650_000, two.storedBytes, two.addedBytes],
  );
  assert.ok((both.peerBytes as number) > 2 * (both.storedBytes as number), 'both peers have all of it, as CARs');

  const all = stats();
  const together = all.find(({ type, repository }) => type === 'repository-stats' && repository === null) as Line;
  assert.equal(together.snapshots, 3);
  assert.ok((together.storedBytes as number) < (both.storedBytes as number) + 10_000, 'the first file is stored once for both');
  const policies = all.filter(({ type }) => type === 'policy-stats');
  assert.deepEqual(
    policies.map(({ replication, allocateBy }) => [replication, allocateBy]),
    [
      ['2', ['freespace']],
      ['1:2', ['freespace']],
    ],
  );
  assert.equal(
    policies.reduce((sum, { storedBytes }) => sum + (storedBytes as number), 0),
    together.storedBytes,
  );
  assert.match(program.succeeds('stats').stdout, /^together +3 /m);
  assert.match(program.succeeds('stats', 'one').stdout, /^one@2 +\S+ \S+ +341\.8 KiB /m);
  program.fails(40, /no repository "three"/, 'stats', 'three');
});
