/** Two homes with the real program: what one lets go the other keeps, whoever is a copy of whom. */
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { oneIn, onlyInAll } from '../../testing/depth.ts';
import { listing } from '../../testing/listing.ts';
import { HOME_FORMAT_1, Program } from '../../testing/program.ts';
import { writeTree } from '../../testing/tree.ts';

const sample = oneIn(10);

let first: Program;
let second: Program;
beforeEach(() => {
  first = new Program();
  second = new Program();
});
afterEach(() => {
  first.dispose();
  second.dispose();
});

const idOf = (program: Program) => (JSON.parse(readFileSync(join(program.home, 'home.json'), 'utf8')) as { id: string }).id;

/** Both homes have the mirror on one peer; then the second one has only something else, and prunes. */
function letGo(program: Program, source: string): void {
  rmSync(source, { recursive: true });
  writeTree(source, { other: 'something else' });
  program.succeeds('update', 'm', '--max-delete', 'none', '-q');
  program.succeeds('forget', 'm', '--keep-last', '1', '-q');
}

for (const layout of ['car', 'blockstore']) {
  test(`prune and drain in one home take nothing that another has on the same peer: ${layout}`, { skip: onlyInAll() }, () => {
    const peer = first.path('disk');
    const source = writeTree(first.path('m'), { a: 'one', b: Buffer.alloc(200_000, 7).toString() });
    const before = listing(source);
    first.succeeds('peers', 'add', 'local', peer, '--name', 'disk', '--layout', layout);
    first.succeeds('add', source, '--name', 'm', '-q');
    assert.match(
      second.run('peers', 'add', 'local', peer, '--name', 'disk', '--layout', layout).stderr,
      new RegExp(`home ${idOf(first)} .*2 shards`),
    );
    second.succeeds('add', source, '--name', 'm', '-q');
    second.succeeds('peers', 'add', 'local', second.path('own'), '--name', 'own');
    letGo(second, source);
    assert.match(second.succeeds('prune').stdout, /kept for other homes: 1 copy/);
    second.succeeds('peers', 'drain', 'disk');
    first.succeeds('verify', '--read-data');
    first.succeeds('get', 'm', '-o', first.path('back'));
    assert.deepEqual(listing(first.path('back')), before);
  });
}

test('a copied home is another home, and neither takes anything from the other', { skip: sample() }, () => {
  const source = writeTree(first.path('m'), { a: 'one' });
  first.succeeds('peers', 'add', 'local', first.path('disk'), '--name', 'disk');
  first.succeeds('add', source, '--name', 'm', '-q');
  const copy = first.path('copy');
  cpSync(first.home, copy, { recursive: true });
  assert.match(first.run('update', 'm', '--home', copy).stderr, new RegExp(`is a copy of home ${idOf(first)}`));
  letGo(first, source);
  first.succeeds('prune', '-q');
  first.succeeds('verify', '--read-data', '--home', copy);
  first.succeeds('get', 'm@1', '-o', first.path('back'), '--home', copy);
  assert.equal(readFileSync(first.path('back', 'a'), 'utf8'), 'one');
});

test('a home that was moved is the same home', { skip: sample() }, () => {
  const source = writeTree(first.path('m'), { a: 'one' });
  first.succeeds('add', source, '--name', 'm', '-q');
  const id = idOf(first);
  renameSync(first.home, first.path('moved'));
  assert.equal(first.run('update', 'm', '--home', first.path('moved')).stderr.includes('copy'), false);
  assert.equal(JSON.parse(readFileSync(first.path('moved', 'home.json'), 'utf8')).id, id);
});

test('a home from before homes had IDs marks what it holds with its first run, and peers keep older programs away', {
  skip: sample(),
}, () => {
  cpSync(HOME_FORMAT_1, first.home, { recursive: true });
  for (const peer of ['a', 'b']) mkdirSync(join(first.home, 'peers', peer, 'tmp'), { recursive: true });
  first.succeeds('prune', '-q');
  for (const peer of ['a', 'b']) assert.equal(JSON.parse(readFileSync(join(first.home, 'peers', peer, 'peer.json'), 'utf8')).format, 2);
  const orphans = first.succeeds('prune', '--orphans').stdout;
  assert.match(orphans, /peer a: this home .* with \d+ shards/);
  assert.match(orphans, /peer a: to be freed: 0 shards that no home has marked/);
  first.succeeds('verify', '--read-data');
});

test('what a dead home alone needed, and what no home has marked, is listed, and freed when that is said', { skip: sample() }, () => {
  const peer = first.path('disk');
  first.succeeds('peers', 'add', 'local', peer, '--name', 'disk');
  first.succeeds('add', writeTree(first.path('m'), { a: 'one' }), '--name', 'm', '-q');
  second.succeeds('peers', 'add', 'local', peer, '--name', 'disk');
  second.succeeds('add', writeTree(second.path('n'), { b: 'two' }), '--name', 'n', '-q');
  const dead = idOf(first);
  rmSync(join(peer, 'owners', dead, '..', `${dead}.json`));
  assert.match(second.succeeds('prune', '--orphans').stdout, /to be freed: 0 shards that no home has marked/);
  assert.match(second.succeeds('prune', '--orphans', '--owner', dead).stdout, new RegExp(`to be freed: 2 shards that only home ${dead}`));
  second.fails(2, /is this one/, 'prune', '--orphans', '--owner', idOf(second));
  second.succeeds('prune', '--orphans', '--owner', dead, '--force');
  second.succeeds('verify', '--read-data');
  assert.equal(first.run('verify').code, 44);
  // A shard without a mark, as an earlier version left it.
  rmSync(join(peer, 'owners', idOf(second)), { recursive: true });
  assert.match(second.succeeds('prune', '--orphans').stdout, /to be freed: 0 shards/, 'what this home has on record is not nobody’s');
});
