/** `check`, `update --repair` and `status --at-risk`: what is missing or damaged comes back without anybody asking for it by name. */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { oneIn, onlyInAll } from '../../testing/depth.ts';
import { Program } from '../../testing/program.ts';

const sample = oneIn(8);

let program: Program;
beforeEach(() => {
  program = new Program();
  for (const name of ['a', 'b', 'c']) program.succeeds('peers', 'add', 'local', name);
  mkdirSync(program.path('m'));
  for (let n = 0; n < 6; n += 1) writeFileSync(program.path('m', `f${n}`), Buffer.alloc(20_000, `${n}`));
  program.succeeds('add', 'm', '--shard-size', '32KiB', '--replication', '2');
});
afterEach(() => program.dispose());

interface Line {
  readonly type: string;
  readonly [field: string]: unknown;
}

function results(code: number, ...argv: string[]): Line[] {
  return program.ends(code, ...argv, '--json').lines.map((line) => JSON.parse(line) as Line);
}

function result(lines: readonly Line[], type: string): Line {
  const found = lines.find((line) => line.type === type);
  assert.ok(found !== undefined, `no ${type} in ${JSON.stringify(lines)}`);
  return found;
}

function carsOn(peer: string): string[] {
  const shards = program.path(peer, 'shards');
  return readdirSync(shards, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.car'))
    .map((name) => join(shards, name));
}

/** Of the larger CARs, which are no catalogues. */
function shardsOn(peer: string): string[] {
  return carsOn(peer).filter((path) => readFileSync(path).length > 20_000);
}

/** The peer with most shards. */
function fullest(): string {
  return ['a', 'b', 'c'].toSorted((x, y) => shardsOn(y).length - shardsOn(x).length)[0] as string;
}

test('check finds what is missing at once, and damaged bytes when their part has its turn', { skip: onlyInAll() }, () => {
  const [missing] = shardsOn('a');
  const [damaged] = shardsOn('b').filter((path) => path.split('/').at(-1) !== missing?.split('/').at(-1));
  assert.ok(missing !== undefined && damaged !== undefined);
  rmSync(missing);
  const bytes = readFileSync(damaged);
  bytes[bytes.length - 1000] = (bytes[bytes.length - 1000] ?? 0) ^ 1;
  writeFileSync(damaged, bytes);
  const first = results(0, 'check', '--verify', '1/2');
  const second = results(0, 'check', '--verify', '1/2');
  assert.deepEqual(
    [first, second].map((lines) => result(lines, 'checked').part),
    ['1/2', '2/2'],
  );
  const mended = [first, second].map((lines) => result(lines, 'repaired').mended as number);
  assert.equal((mended[0] ?? 0) + (mended[1] ?? 0), 2);
  assert.ok((mended[0] ?? 0) >= 1);
  program.succeeds('verify', '--read-data');
  assert.equal(program.succeeds('check', '-q').stdout + program.succeeds('check', '-q').stderr, '');
});

test('check forgets by the policy that is remembered, and frees what that leaves', { skip: sample() }, () => {
  for (const byte of ['x', 'y']) {
    for (let n = 0; n < 6; n += 1) writeFileSync(program.path('m', `f${n}`), Buffer.alloc(20_000, `${byte}${n}`));
    program.succeeds('update', 'm');
  }
  assert.equal(result(results(0, 'check'), 'checked').forgotten, 0);
  program.succeeds('config', 'keep', 'last=1');
  assert.equal(result(results(0, 'check', '-n'), 'checked').forgotten, 2);
  const lines = results(0, 'check');
  assert.equal(result(lines, 'checked').forgotten, 2);
  assert.ok((result(lines, 'pruned').freedBytes as number) > 0);
  program.succeeds('config', 'keep', 'all', '--repository', 'm');
  writeFileSync(program.path('m', 'more'), 'more');
  program.succeeds('update', 'm');
  assert.equal(result(results(0, 'check'), 'checked').forgotten, 0);
});

test('where blocks are lost, check lets nothing go, and ends with 44', { skip: sample() }, () => {
  program.succeeds('config', 'keep', 'last=1');
  writeFileSync(program.path('m', 'more'), 'more');
  program.succeeds('update', 'm');
  const [first] = shardsOn('a');
  const name = first?.split('/').at(-1) as string;
  for (const peer of ['a', 'b', 'c']) for (const path of carsOn(peer)) if (path.endsWith(name)) rmSync(path);
  const checked = result(results(44, 'check'), 'checked');
  const skipped = ['forget', 'prune'].map((step) => ({ step, reason: 'lost' }));
  assert.deepEqual([checked.skipped, checked.forgotten], [skipped, 0]);
});

test('a peer that is away for less than its grace is waited for; then what it held is made anew', { skip: sample() }, () => {
  const away = fullest();
  renameSync(program.path(away), program.path('away'));
  program.succeeds('config', 'grace', '6h');
  const { stdout, stderr } = program.succeeds('check', '-q');
  assert.equal(stdout + stderr, '');
  assert.match(program.succeeds('check').stdout, new RegExp(`^peer ${away} does not answer, and is waited for until `, 'm'));
  program.ends(46, 'status', '--at-risk');
  program.ends(42, 'rebalance');
  assert.ok((result(results(42, 'check', '--grace', '0'), 'repaired').added as number) > 0);
  program.succeeds('status', '--at-risk');
});

test('a dry run ends as the real run would that mends the block table and what is missing', { skip: sample() }, () => {
  rmSync(program.path('home', 'index', 'blocks'), { recursive: true });
  for (const path of shardsOn('a')) rmSync(path);
  const dry = result(results(0, 'check', '-n'), 'checked');
  assert.deepEqual([dry.skipped, dry.failed, dry.atRisk], [[{ step: 'prune', reason: 'unlisted' }], [], 0]);
  const real = result(results(0, 'check'), 'checked');
  assert.deepEqual([real.skipped, real.failed, real.atRisk], [[], [], 0]);
});

test('where a shard stays on too few peers, that is not called damage', { skip: sample() }, () => {
  program.succeeds('peers', 'drain', 'c');
  renameSync(program.path('b'), program.path('away'));
  const { stderr } = program.ends(42, 'check');
  assert.match(stderr, /^too few replicas: shard \d+ \S+ on a$/m);
  assert.doesNotMatch(stderr, /^damage/m);
});

test('update --repair mends in the run that sees it, and ends with the worse code', { skip: sample() }, () => {
  for (const path of shardsOn('a')) rmSync(path);
  program.ends(46, 'status', '--at-risk');
  const lines = results(0, 'update', 'm', '--repair');
  assert.equal(result(lines, 'summary').unchanged, true);
  assert.ok((result(lines, 'repaired').mended as number) > 0);
  program.succeeds('status', '--at-risk');
  assert.equal(
    results(0, 'update', 'm', '--repair').some(({ type }) => type === 'repaired'),
    false,
  );
  renameSync(program.path('m'), program.path('gone'));
  for (const path of shardsOn('b')) rmSync(path);
  program.ends(40, 'update', 'm', '--repair');
  program.succeeds('status', '--at-risk');
});

test('status lists what is at risk worst first, and what one peer should hold', { skip: sample() }, () => {
  const [once, twice] = shardsOn(fullest()).map((path) => path.split('/').at(-1) as string);
  assert.ok(once !== undefined && twice !== undefined);
  const holders = ['a', 'b', 'c'].flatMap((peer) => carsOn(peer));
  for (const path of holders.filter((it) => it.endsWith(twice))) rmSync(path);
  rmSync(holders.find((it) => it.endsWith(once)) as string);
  const held = results(46, 'status', '--at-risk').filter(({ type }) => type === 'shard-status');
  assert.deepEqual(
    held.map((shard) => shard.held),
    [0, 1],
  );
  const peers = results(0, 'status', '--peer', 'a').filter(({ type }) => type === 'peer-status');
  assert.deepEqual(
    peers.map(({ name }) => name),
    ['a'],
  );
  program.ends(40, 'status', '--peer', 'nobody');
  program.succeeds('status');
});
