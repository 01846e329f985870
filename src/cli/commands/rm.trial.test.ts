/** `rm` and `rename` as a user meets them. */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { oneIn, onlyInAll } from '../../testing/depth.ts';
import { Program } from '../../testing/program.ts';

const sample = oneIn(20);

let program: Program;
beforeEach(() => {
  program = new Program();
  program.succeeds('peers', 'add', 'local', 'd1');
  for (const name of ['one', 'two']) {
    mkdirSync(program.path(name));
    writeFileSync(program.path(name, 'common'), Buffer.alloc(40_000, 'common'));
    writeFileSync(program.path(name, 'own'), Buffer.alloc(40_000, name));
    program.succeeds('add', name, '-q');
  }
});
afterEach(() => program.dispose());

const json = (...argv: string[]) => program.succeeds(...argv, '--json').lines.map((line) => JSON.parse(line) as Record<string, unknown>);
const cars = () => (readdirSync(program.path('d1', 'shards'), { recursive: true }) as string[]).filter((name) => name.endsWith('.car'));
const names = () => json('status').flatMap(({ type, name }) => (type === 'repository' ? [name] : []));

test('rm -n says what rm then frees, changes nothing, and what others need stays', { skip: onlyInAll() }, () => {
  writeFileSync(program.path('two', 'more'), Buffer.alloc(40_000, 'more'));
  program.succeeds('update', 'two', '-q');
  const before = cars();
  const freed = (...more: string[]) => json('rm', 'two', ...more).find(({ type }) => type === 'pruned');
  const planned = freed('-n');
  assert.deepEqual([cars(), names()], [before, ['one', 'two']]);
  const done = freed();
  const what = ({ removedShards, removedStrays, freedBytes, freedBlocks }: Record<string, unknown> = {}) => [
    ...[removedShards, removedStrays, freedBytes, freedBlocks],
  ];
  assert.deepEqual(what(done), what(planned));
  assert.ok((done?.freedBytes as number) >= 80_000);
  assert.deepEqual(names(), ['one']);
  assert.deepEqual(readdirSync(join(program.home, 'heads')), ['one']);
  program.succeeds('verify', '--read-data', '-q');
  // Nothing is left over, on the peer or in the note for the day on which the home is lost.
  assert.match(program.succeeds('prune', '-n').stdout, /^to be removed: 0 shards, 0 leftovers\n/);
  const owners = program.path('d1', 'owners');
  const note = readdirSync(owners).find((name) => name.endsWith('.note')) as string;
  const { repositories } = JSON.parse(readFileSync(join(owners, note), 'utf8')) as { repositories: { name: string }[] };
  assert.deepEqual(
    repositories.map(({ name }) => name),
    ['one'],
  );
});

test('rm takes several names; one that is unknown, and nothing goes', { skip: onlyInAll() }, () => {
  program.fails(2, /NAME… is missing/, 'rm');
  program.fails(40, /no repository "three"; there is one, two/, 'rm', 'one', 'three');
  assert.deepEqual(names(), ['one', 'two']);
  const { stdout, stderr } = program.succeeds('rm', 'two', 'one', '-q');
  assert.equal(stdout + stderr, '');
  assert.deepEqual([names(), cars()], [[], []]);
  // The name is free again, and what comes by it begins anew.
  assert.match(program.succeeds('add', 'one').stdout, /^one@1: committed/);
});

test('where the space runs out in the middle, rm goes on with the ballast: what is gone by then is no mistake, and each is told once', {
  skip: sample(),
}, () => {
  // Around the removal, and after what was done was told.
  for (const position of [7, 8, 9, 10, 31, 37]) {
    program.succeeds('add', 'two', '--name', 'full', '-q');
    const { code, stdout, stderr } = program.runWithFault(`ENOSPC:${position}`, 'rm', 'full', '--json');
    const what = `position ${position}: ${code} ${stderr}${stdout}`;
    // 42: a peer had no space to forget with. 43: the results could not be written.
    assert.ok([0, 42, 43].includes(code ?? -1), what);
    for (const type of ['removed', 'pruned']) assert.ok(stdout.split(`{"type":"${type}"`).length <= 2, what);
    assert.deepEqual(names(), ['one', 'two'], what);
    if (code === 0) assert.match(stdout, /"type":"removed","dryRun":false,"repository":"full","snapshots":1/, what);
  }
});

test('a peer that is away keeps what rm takes from it until the next prune, and the exit code says so', { skip: sample() }, () => {
  program.succeeds('peers', 'add', 'local', 'd2');
  program.succeeds('add', 'two', '--replication', '2', '-q');
  renameSync(program.path('d1'), program.path('away'));
  const { stderr } = program.ends(42, 'rm', 'two', '-q');
  assert.match(stderr, /peer d1 keeps what is not needed until the next prune/);
  renameSync(program.path('away'), program.path('d1'));
  assert.deepEqual(names(), ['one']);
  program.succeeds('prune', '-q');
  program.succeeds('rm', 'one', '-q');
  assert.deepEqual(cars(), []);
});

test('rename wants a name that a repository may have, and that none has', { skip: sample() }, () => {
  program.fails(2, /NEW is missing/, 'rename', 'one');
  program.fails(40, /no repository "three"; there is one, two/, 'rename', 'three', 'four');
  program.fails(2, /there is a repository two already/, 'rename', 'one', 'two');
  program.fails(2, /one is its name already/, 'rename', 'one', 'one');
  program.fails(2, /cannot be the name of a repository; give a short one, without/, 'rename', 'one', 'a/b');
  assert.deepEqual(names(), ['one', 'two']);
});

test('a renamed repository is updated as it was before, with its settings and its history, and reads no file again', {
  skip: sample(),
}, () => {
  program.succeeds('config', 'replication', '1:2', '--repository', 'one');
  writeFileSync(program.path('one', 'more'), 'more');
  program.succeeds('update', 'one', '-q');
  const { tree } = program.head('one');
  const { stdout } = program.succeeds('rename', 'one', 'the one');
  assert.match(stdout, /^one is the one now: 2 snapshots got a new CID, the trees are the same\n/);
  assert.deepEqual(names(), ['the one', 'two']);
  assert.equal(program.head('the one').tree, tree);
  assert.match(program.succeeds('config', 'replication', '--repository', 'the one').stdout, /the one +replication +1:2 +repository/);
  program.fails(40, /no repository "one"/, 'update', 'one');
  assert.match(program.succeeds('update', 'the one').stdout, /^the one@2: nothing has changed/);
  // No entry is new to it, so all stat data have come along.
  assert.deepEqual(program.succeeds('update', 'the one', '-n').lines[0], 'the one: a dry run, nothing was changed');
  program.succeeds('verify', '--read-data', '-q');
  assert.match(program.succeeds('prune', '-n').stdout, /^to be removed: 0 shards, 0 leftovers\n/);
});

test('a lost home gets a renamed repository back by its new name, with all of its history', { skip: sample() }, () => {
  writeFileSync(program.path('one', 'more'), 'more');
  program.succeeds('update', 'one', '-q');
  program.succeeds('rename', 'one', 'new');
  writeFileSync(program.path('one', 'more'), 'and more');
  program.succeeds('update', 'new', '-q');
  rmSync(program.home, { recursive: true });
  program.succeeds('recover', '--all', '--from', 'd1');
  assert.deepEqual(names(), ['new', 'two']);
  assert.equal(json('snapshots', 'new').filter(({ type }) => type === 'snapshot').length, 3);
  program.succeeds('verify', '--read-data', '-q');
});
