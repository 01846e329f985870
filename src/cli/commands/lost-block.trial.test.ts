/** One flipped bit, as a user meets it: what each command says, and that the commands which it names are the way out. */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { oneIn } from '../../testing/depth.ts';
import { flipInCars } from '../../testing/flip-in-cars.ts';
import { Program } from '../../testing/program.ts';

const sample = oneIn(4);

let shardctl: Program;
before(() => {
  shardctl = new Program();
  mkdirSync(shardctl.path('source'));
  for (let i = 0; i < 9; i++) writeFileSync(join(shardctl.path('source'), `f${i}`), Buffer.alloc(3000, `content of ${i} `));
  shardctl.succeeds('peers', 'add', 'local', 'disk');
  shardctl.succeeds('add', 'source', '--name', 'r', '-q');
  flipInCars(shardctl.path('disk/shards'), 'content of 7 ');
});
after(() => shardctl.dispose());

const events = (stdout: string) => stdout.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Record<string, unknown>]));

test('get names what it cannot bring back, restores the rest, and ends with 44; cat and export give no wrong byte', {
  skip: sample(),
}, () => {
  const { code, stdout, stderr } = shardctl.run('get', 'r', '-o', 'out');
  assert.equal(code, 44);
  assert.match(stdout, /^8 files/);
  assert.match(stderr, /^not restored: .*\/out\/f7: block /m);
  assert.match(stderr, /1 damaged; everything else is there; `shardctl repair --read-data`/);
  assert.deepEqual(readdirSync(shardctl.path('out')).length, 8);
  const told = events(shardctl.run('get', 'r', '-o', 'out2', '--json').stdout);
  const missing = told.find(({ type }) => type === 'not-restored');
  assert.deepEqual([missing?.problem, String(missing?.path).endsWith('/out2/f7')], ['damaged', true]);
  assert.deepEqual(told.find(({ type }) => type === 'restored')?.problems, { damaged: 1, away: 0, unwritable: 0 });
  assert.deepEqual([told.at(-1)?.type, told.at(-1)?.code], ['exit', 44]);
  const cat = shardctl.run('cat', 'r/f7');
  assert.deepEqual([cat.code, cat.stdout], [44, '']);
  assert.equal(shardctl.run('export', 'r', '--car', 'r.car').code, 44);
  assert.deepEqual(
    readdirSync(shardctl.dir).filter((name) => name.startsWith('r.car')),
    [],
  );
});

test('what repair finds lost shows in status and verify; an update and another repair heal it', { skip: sample() }, () => {
  const { code, stderr } = shardctl.run('repair', '--read-data');
  assert.equal(code, 44);
  assert.match(stderr, /lost: 1 block of shard 0 \w+, which r@1 needs/);
  assert.match(shardctl.succeeds('status').stdout, /^damaged: 1 shard, .*`shardctl add`.*`shardctl repair`$/m);
  assert.equal(shardctl.run('verify').code, 44);
  assert.equal(shardctl.run('repair').code, 44);
  const told = events(shardctl.succeeds('update', 'r', '--json').stdout);
  assert.equal(told.filter(({ type }) => type === 'warning').length, 1, 'one cause, one line');
  const summary = told.find(({ type }) => type === 'summary');
  assert.equal(summary?.newBlocks !== undefined && (summary.newBlocks as number) >= 1, true);
  assert.match(shardctl.succeeds('repair').stdout, /^mended: 1 replica$/m);
  shardctl.succeeds('verify', '--read-data');
  assert.doesNotMatch(shardctl.succeeds('status').stdout, /^damaged/m);
  shardctl.succeeds('get', 'r', '-o', 'out', '--overwrite');
  assert.deepEqual(readFileSync(join(shardctl.path('out'), 'f7')), readFileSync(join(shardctl.path('source'), 'f7')));
});
