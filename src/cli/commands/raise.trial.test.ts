/** More replicas are asked for, and no whole copy of a shard can be read: the run commits, and ends with the code of damage. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, test } from 'node:test';
import { flipInCars } from '../../testing/flip-in-cars.ts';
import { type Finished, Program } from '../../testing/program.ts';

let program: Program;
beforeEach(() => {
  program = new Program();
  program.succeeds('peers', 'add', 'local', 'a');
  mkdirSync(program.path('m'));
  writeFileSync(program.path('m', 'file'), 'what is in the file');
  program.succeeds('add', 'm');
  program.succeeds('peers', 'add', 'local', 'b');
});
afterEach(() => program.dispose());

/** Flips a bit of the file in the only replica. */
const damage = () => flipInCars(program.path('a', 'shards'), 'what is in the file');

/** What the line of this type says, of a run with `--json`. */
function told(type: 'summary' | 'imported-car', { lines }: Finished): { readonly unreadableShards?: number } {
  const all = lines.map((line) => JSON.parse(line) as { readonly type: string; readonly unreadableShards?: number });
  return all.find((it) => it.type === type) ?? assert.fail(`no ${type}`);
}

test('an update that finds damage where it was to make more replicas ends with 44, with a commit and without one', () => {
  damage();
  const { stdout } = program.ends(44, 'update', 'm', '--replication', '2');
  assert.match(stdout, /damaged +1 shard with no whole copy/);
  writeFileSync(program.path('m', 'more'), 'more');
  const { unreadableShards } = told('summary', program.ends(44, 'update', 'm', '--json'));
  assert.deepEqual([unreadableShards, program.head('m').number], [1, 2]);
});

test('import-car does as well', () => {
  program.succeeds('export', 'm', '--car', program.path('m.car'));
  damage();
  const imported = program.ends(44, 'import-car', program.path('m.car'), '--replication', '2', '--json');
  assert.equal(told('imported-car', imported).unreadableShards, 1);
});

test('where the replica is whole nothing is said of damage', () => {
  assert.equal(told('summary', program.succeeds('update', 'm', '--replication', '2', '--json')).unreadableShards, undefined);
});
