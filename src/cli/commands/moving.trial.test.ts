import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { onlyInAll } from '../../testing/depth.ts';
import { fixture, Program } from '../../testing/program.ts';

const TWICE = ['--replication', '2'];

let program: Program;
before(() => {
  program = new Program();
  for (const name of ['a', 'b']) program.succeeds('peers', 'add', 'local', name, '--tag', `zone=${name}`, '--capacity', '1GB');
  program.succeeds('add', fixture('debian'), ...TWICE, '--shard-size', '8KiB');
});
after(() => program.dispose());

interface Line {
  readonly type: string;
  readonly [field: string]: unknown;
}

const json = (...argv: string[]): Line[] => program.succeeds(...argv, '--json').lines.map((line) => JSON.parse(line) as Line);
const shardsOn = (peer: string) =>
  readdirSync(program.path(peer, 'shards'), { recursive: true }).filter((name) => String(name).endsWith('.car'));
const result = (lines: readonly Line[], type: string) => lines.find((line) => line.type === type) as Line;

test('a peer joins, gets its share, is drained, and is taken out; every file is there all along', { skip: onlyInAll() }, () => {
  program.succeeds('peers', 'add', 'local', 'c', '--tag', 'zone=c', '--reserve', '1MB', '--weight', '2');
  const planned = result(json('rebalance', '-n', ...TWICE), 'moved-shards');
  assert.deepEqual(shardsOn('c'), []);
  const moved = result(json('rebalance', ...TWICE), 'moved-shards');
  assert.deepEqual({ ...moved, dryRun: true, seconds: 0 }, { ...planned, seconds: 0 });
  assert.ok(shardsOn('c').length > 1);
  program.fails(42, /holds replicas of \d+ shards.*peers drain a/, 'peers', 'rm', 'a', ...TWICE);
  assert.match(program.succeeds('peers', 'drain', 'a', ...TWICE).stdout, /nothing of this home is left on a/);
  assert.deepEqual(shardsOn('a'), []);
  assert.match(program.succeeds('peers', 'ls').stdout, /^a \(drained\) +0 /m);
  // An update in between puts nothing there.
  const more = program.path('more');
  mkdirSync(more);
  writeFileSync(`${more}/file`, 'more');
  program.succeeds('add', more, ...TWICE);
  assert.deepEqual(shardsOn('a'), []);
  program.succeeds('peers', 'drain', 'a', '--undo');
  program.succeeds('peers', 'rm', 'a', ...TWICE);
  assert.match(program.succeeds('verify', '--read-data', ...TWICE).stdout, /no damage/);
});

test('a drain that finds no place names what is asked for, and leaves the peer as it was; one that is over ends with a command that works', {
  skip: onlyInAll(),
}, () => {
  const other = new Program();
  try {
    for (const name of ['one', 'two']) other.succeeds('peers', 'add', 'local', name);
    other.succeeds('add', fixture('debian'), ...TWICE, '--shard-size', '8KiB', '--name', 'm');
    other.fails(
      42,
      /^shardctl: \d+ of \d+ shards of peer one find no place: each must be on 2 peers, without it there is two, and no other peer may be given one; nothing was moved/,
      'peers',
      'drain',
      'one',
    );
    assert.doesNotMatch(other.succeeds('peers', 'ls').stdout, /drained/);
    other.fails(42, /find no place/, 'peers', 'drain', 'one', '-n');
    other.succeeds('config', 'replication', '-1', '--repository', 'm');
    // To every peer: without the one that is to go, that is one fewer. A dry run knows.
    const planned = JSON.parse(other.succeeds('peers', 'drain', 'one', '-n', '--json').lines.at(-2) as string);
    const { stdout } = other.succeeds('peers', 'drain', 'one');
    assert.match(stdout, new RegExp(`^removed: ${planned.removed} shards`, 'm'));
    const [, advice = ''] = /`shardctl (.*)` takes it out/.exec(stdout) ?? [];
    other.succeeds(...advice.split(' '));
    other.succeeds('verify', '--read-data');
    other.fails(42, /find no place|can be used/, 'peers', 'drain', 'two');
    assert.doesNotMatch(other.succeeds('peers', 'ls').stdout, /drained/);
  } finally {
    other.dispose();
  }
});

test('status tells who holds what by the word of the peers, and what is at risk', { skip: onlyInAll() }, () => {
  const [first = ''] = shardsOn('b').map(String);
  renameSync(program.path('b', 'shards', first), program.path('away.car'));
  const lines = json('status', '--shards', ...TWICE);
  const total = result(lines, 'replication');
  assert.deepEqual([total.least, total.atRisk, total.lost], [2, 1, 0]);
  const shards = lines.filter(({ type }) => type === 'shard-status');
  assert.equal(shards.length, total.shards);
  const missing = shards.filter(({ held }) => held === 1);
  assert.equal(missing.length, 1);
  assert.deepEqual(
    ((missing[0] as Line).replicas as { peer: string; state: string }[]).map(({ peer, state }) => `${peer} ${state}`).sort(),
    ['b missing', 'c held'],
  );
  assert.match(program.succeeds('status', ...TWICE).stdout, /at risk: 1 shard, .*`shardctl repair`/);
  renameSync(program.path('away.car'), program.path('b', 'shards', first));
  assert.match(program.succeeds('status', ...TWICE).stdout, /each on 2 or more peers/);
});

test('verify reads the Nth of T parts, and all parts together are everything', { skip: onlyInAll() }, () => {
  const read = (part: string) => result(json('verify', `--read-data=${part}`), 'verified').bytes as number;
  const parts = ['1/3', '2/3', '3/3'].map(read);
  assert.equal(
    parts.reduce((sum, bytes) => sum + bytes, 0),
    read('100%'),
  );
  assert.ok(parts.every((bytes) => bytes < read('100%')));
  for (const bad of ['0/3', '4/3', '1/0', '101%', '0%', 'all']) program.fails(2, /--read-data=/, 'verify', `--read-data=${bad}`);
});

test('a peer that has moved is found where it is now; another one is not taken for it', { skip: onlyInAll() }, () => {
  renameSync(program.path('b'), program.path('b-moved'));
  program.succeeds('peers', 'set', 'b', '--path', 'b-moved', '--tag', 'rack=1', '--tag', 'zone=', '--capacity', 'none', '--weight', '3');
  const peer = json('peers', 'ls').find(({ name }) => name === 'b') as Line;
  assert.deepEqual([peer.tags, peer.capacity, peer.weight, peer.path], [{ rack: '1' }, null, 3, program.path('b-moved')]);
  assert.match(program.succeeds('verify', ...TWICE).stdout, /no damage/);
  program.succeeds('peers', 'add', 'local', 'd');
  program.succeeds('peers', 'rm', 'd');
  program.fails(2, /none of the \d+ shards/, 'peers', 'set', 'b', '--path', 'd');
  program.fails(2, /is peer "c" already/, 'peers', 'set', 'b', '--path', 'c');
  program.fails(2, /nothing to set/, 'peers', 'set', 'b');
  program.fails(40, /there is no peer "z"/, 'peers', 'set', 'z', '--weight', '1');
  program.fails(42, /./, 'peers', 'set', 'b', '--path', 'nowhere');
});

test('a dead peer goes with --force, and repair restores what it had on another', { skip: onlyInAll() }, () => {
  program.succeeds('peers', 'add', 'local', 'e');
  rmSync(program.path('c'), { recursive: true });
  program.fails(42, /cannot be drained/, 'peers', 'drain', 'c', ...TWICE);
  program.fails(42, /--force/, 'peers', 'rm', 'c', ...TWICE);
  assert.match(program.succeeds('peers', 'rm', 'c', '--force', ...TWICE).stdout, /on too few peers: run `shardctl repair`/);
  program.succeeds('repair', ...TWICE, '--read-data');
  assert.match(program.succeeds('verify', '--read-data', ...TWICE).stdout, /no damage/);
});

test('a tree goes out as a CAR and comes into another home; what is none is refused in one line', { skip: onlyInAll() }, () => {
  const exported = result(json('export', 'debian', '--car', 'debian.car'), 'exported');
  program.fails(2, /is there already/, 'export', 'debian', '--car', 'debian.car');
  program.fails(2, /--car FILE is missing/, 'export', 'debian');
  const imported = result(json('import-car', 'debian.car', '--name', 'copy'), 'imported-car');
  assert.deepEqual([imported.tree, imported.newBlocks], [exported.root, 0], 'every block is here already');
  writeFileSync(program.path('junk.car'), 'junk');
  program.fails(44, /junk\.car is not a CAR/, 'import-car', 'junk.car');
  program.fails(40, /there is no file/, 'import-car', 'nothing.car');
  program.fails(2, /needs a --name/, 'import-car', '-');
});

test('what makes no sense is refused before anything is done', { skip: onlyInAll() }, () => {
  program.fails(2, /unknown allocator "near"/, 'add', '.', '--allocate-by', 'near');
  program.fails(2, /names the peer "z"/, 'add', fixture('debian'), '--allocate-by', 'pinned-to:z');
  program.fails(2, /--transfers/, 'rebalance', '--transfers', '0');
  program.fails(2, /--bwlimit/, 'rebalance', '--bwlimit', 'fast');
  program.fails(2, /--weight/, 'peers', 'set', 'b', '--weight', 'heavy');
});

test('allocators that name a peer which was taken out pass it over, and what changes them is said and works', { skip: onlyInAll() }, () => {
  const other = new Program();
  try {
    for (const name of ['one', 'two', 'three']) other.succeeds('peers', 'add', 'local', name);
    other.fails(2, /names the peer "four", which is not set up/, 'add', fixture('debian'), '--name', 'm', '--allocate-by', 'prefer:four');
    other.succeeds('add', fixture('debian'), '--name', 'm', ...TWICE, '--allocate-by', 'pinned-to:one+two,prefer:one');
    const [, , command = ''] = other.succeeds('peers', 'rm', 'one', '--force').stdout.split('\n');
    for (const run of [['status'], ['update', 'm', '--replication', '1'], ['repair'], ['rebalance'], ['prune']]) other.succeeds(...run);
    assert.match(
      command,
      /^m is allocated by pinned-to:one\+two,prefer:one, .*passes it over: `shardctl config allocate-by pinned-to:two --repository m`/,
    );
    other.succeeds(...command.slice(command.indexOf('`shardctl ') + '`shardctl '.length, command.lastIndexOf('`')).split(' '));
    assert.match(other.succeeds('peers', 'rm', 'two', '--force').stdout, /`shardctl config allocate-by --unset --repository m`/);
    other.fails(2, /pinned-to:two leaves no peer.*`shardctl config allocate-by --unset`/, 'rebalance');
    other.succeeds('config', 'allocate-by', '--unset', '--repository', 'm');
    other.succeeds('rebalance');
  } finally {
    other.dispose();
  }
});
