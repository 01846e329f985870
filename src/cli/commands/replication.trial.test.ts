/** Replication as an operator meets it: said once, and kept by every command. */
import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { onlyInAll } from '../../testing/depth.ts';
import { HOME_FORMAT_1, Program } from '../../testing/program.ts';

/** Each runs the program many times, which takes long. */
const sample = () => onlyInAll();

let program: Program;
let source: string;
beforeEach(() => {
  program = new Program();
  source = program.path('m');
  mkdirSync(source);
  writeFileSync(join(source, 'a'), Buffer.alloc(50_000, 'a'));
  for (const zone of ['x', 'y', 'z']) program.succeeds('peers', 'add', 'local', zone, '--tag', `zone=${zone === 'y' ? 'x' : zone}`);
});
afterEach(() => program.dispose());

interface Status {
  readonly type: string;
  readonly label: string;
  readonly held: number;
  readonly least: number;
  readonly replicas: readonly { readonly peer: string }[];
}

const statuses = (): Status[] =>
  program.succeeds('status', '--shards', '--json').lines.flatMap((line) => {
    const status = JSON.parse(line) as Status;
    return status.type === 'shard-status' ? [status] : [];
  });

function filesIn(dir: string): string[] {
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.parentPath.includes('lock'))
    .map((entry) => join(entry.parentPath, entry.name));
}

test('an update places as add was told, and status, verify and the metrics ask for as much', { skip: sample() }, () => {
  program.succeeds('add', 'm', '--replication', '2', '--allocate-by', 'tag:zone,freespace');
  for (let i = 0; i < 4; i++) {
    writeFileSync(join(source, `new${i}`), Buffer.alloc(50_000, `${i} `));
    program.succeeds('update', 'm', '--metrics-file', 'm.prom');
  }
  const shards = statuses().filter(({ label }) => !label.includes('catalogue'));
  assert.equal(shards.length, 5);
  for (const { label, held, least, replicas } of shards) {
    assert.deepEqual([held, least], [2, 2], label);
    assert.ok(
      replicas.some(({ peer }) => peer === 'z'),
      `${label} is in both zones`,
    );
  }
  assert.match(readFileSync(program.path('m.prom'), 'utf8'), /shards_under_replicated\{repository="m"\} 0/);
  program.fails(42, /holds replicas of \d+ shards/, 'peers', 'rm', 'z');
  rmSync(program.path('z'), { recursive: true });
  program.ends(42, 'verify');
  program.succeeds('peers', 'rm', 'z', '--force');
  assert.match(program.ends(46, 'verify').stderr, /warning: [^\n]* has 1 of 2 replicas/);
  assert.match(program.succeeds('status').stdout, /at risk: \d+ shards/);
  program.succeeds('update', '--metrics-file', 'm.prom');
  assert.match(readFileSync(program.path('m.prom'), 'utf8'), /shards_under_replicated\{repository="m"\} [1-5]\n/);
  program.succeeds('repair');
  program.succeeds('verify', '--read-data');
});

test('a peer that is drained takes no replica with it', { skip: sample() }, () => {
  program.succeeds('add', 'm', '--replication', '2');
  program.succeeds('peers', 'drain', 'x');
  program.succeeds('verify', '--read-data');
  for (const { held } of statuses()) assert.ok(held >= 2);
  program.fails(42, /find no place/, 'peers', 'drain', 'y');
});

test('a variable holds for its run, and overwrites nothing that a repository was told', { skip: sample() }, () => {
  program.succeeds('add', 'm', '--replication', '2', '--gate', 'off');
  const told = new Program({
    SHARDCTL_HOME: program.home,
    SHARDCTL_REPLICATION: '3',
    SHARDCTL_ALLOCATE_BY: 'weight',
    SHARDCTL_GATE: 'debian',
    SHARDCTL_GATE_ACTION: 'warn',
  });
  const before = program.succeeds('config', 'ls', '--json').lines;
  writeFileSync(join(source, 'b'), Buffer.alloc(50_000, 'b'));
  told.succeeds('update', 'm');
  assert.ok(statuses().every(({ held, least }) => held === 3 && least === 2));
  told.succeeds('add', source);
  assert.deepEqual(program.succeeds('config', 'ls', '--json').lines, before);
  told.dispose();
});

test('an update that is told another number remembers it, and one that finds nothing to do writes nothing', { skip: sample() }, () => {
  program.succeeds('add', 'm');
  program.succeeds('update', 'm', '--replication', '3');
  for (const { held, least } of statuses()) assert.deepEqual([held, least], [3, 3]);
  const state = () => filesIn(program.home).map((file) => [file, readFileSync(file, 'latin1')]);
  const before = state();
  program.succeeds('update', 'm');
  assert.deepEqual(state(), before);
  writeFileSync(join(source, 'b'), 'b');
  program.succeeds('update', 'm', '--replication', '1');
  assert.deepEqual(
    statuses().map(({ held, least }) => [held, least]),
    statuses().map(({ label }) => [label.includes('00000001') ? 1 : 3, 1]),
    'what is told is done for what is new, and what was there stays',
  );
});

test('each repository is held to its own, and what two need to the larger', { skip: sample() }, () => {
  program.succeeds('add', 'm', '--name', 'one');
  program.succeeds('add', 'm', '--name', 'two', '--replication', '2');
  const least = (label: RegExp) =>
    statuses()
      .filter((it) => label.test(it.label))
      .map((it) => it.least);
  assert.deepEqual(least(/^one 1 catalogue/), [1]);
  assert.deepEqual(least(/^two 1 catalogue/), [2]);
  assert.deepEqual(least(/ 0000/), [2], 'both need the very same shard');
  program.succeeds('verify');
});

test('a tree that came as a CAR is held to what import-car was told', { skip: sample() }, () => {
  program.succeeds('add', 'm', '-q');
  program.succeeds('export', 'm', '--car', 'm.car');
  program.succeeds('import-car', 'm.car', '--name', 'copy', '--replication', '2');
  for (const { held, label } of statuses().filter((it) => it.label.startsWith('copy'))) assert.ok(held >= 2, label);
  program.succeeds('import-car', 'm.car', '--name', 'copy', '--replication', '3');
  for (const { least } of statuses().filter((it) => it.label.startsWith('copy'))) assert.equal(least, 3);
  program.succeeds('verify', '--read-data');
});

test('a home of format 1 did not remember: what a repository has is what it is held to', { skip: sample() }, () => {
  program.dispose();
  cpSync(HOME_FORMAT_1, program.home, { recursive: true });
  for (const peer of ['a', 'b']) mkdirSync(join(program.home, 'peers', peer, 'tmp'), { recursive: true });
  mkdirSync(source, { recursive: true });
  writeFileSync(join(source, 'new'), 'new');
  // Where it came from is not on this machine: its place is.
  program.succeeds('add', 'm', '--name', 'mirror', '--max-delete', 'none', '-q');
  mkdirSync(program.path('t'));
  writeFileSync(program.path('t', 'other'), 'other');
  program.succeeds('add', 't', '--name', 'tiny', '--no-metadata', '--max-delete', 'none', '-q');
  const shards = statuses().filter(({ label }) => !label.includes('catalogue'));
  assert.deepEqual(
    shards.map(({ held, least }) => [held, least]),
    shards.map(({ label }) => (label.startsWith('mirror') ? [2, 2] : [1, 1])),
  );
  assert.ok(shards.some(({ label }) => label === 'mirror 00000003') && existsSync(join(program.home, 'index', 'standing.json')));
  program.succeeds('verify', '--read-data');
});

test('a home that was recovered holds each repository to what its peers had of it', { skip: sample() }, () => {
  program.succeeds('add', 'm', '--replication', '2', '-q');
  const { cid } = program.head('m');
  const other = program.path('other');
  const from = ['x', 'y', 'z'].flatMap((name) => ['--from', name]);
  program.succeeds('recover', cid, ...from, '--source', 'm', '--home', other);
  writeFileSync(join(source, 'new'), 'new');
  program.succeeds('update', 'm', '--home', other);
  const shards = program.succeeds('status', '--shards', '--json', '--home', other).lines.map((line) => JSON.parse(line) as Status);
  for (const { held, least } of shards.filter(({ label }) => /^m 0/.test(label))) assert.deepEqual([held, least], [2, 2]);
});
