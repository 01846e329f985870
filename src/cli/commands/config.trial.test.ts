/** `config`: what the home decides, what a repository asks for, and settings that are damaged. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { oneIn, onlyInAll } from '../../testing/depth.ts';
import { Program } from '../../testing/program.ts';

const sample = oneIn(12);

let program: Program;
beforeEach(() => {
  program = new Program();
  mkdirSync(program.path('m'));
  writeFileSync(program.path('m', 'a'), 'a');
  for (const name of ['x', 'y']) program.succeeds('peers', 'add', 'local', name);
});
afterEach(() => program.dispose());

interface Setting {
  readonly type: string;
  readonly repository: string | null;
  readonly key: string;
  readonly value: string;
  readonly from: string;
}

function settings(...argv: string[]): string[] {
  return program.succeeds('config', ...argv, '--json').lines.flatMap((line) => {
    const { type, repository, key, value, from } = JSON.parse(line) as Setting;
    return type === 'setting' ? [`${repository ?? ''} ${key}=${value} ${from}`.trim()] : [];
  });
}

const config = () => join(program.home, 'config.json');

test('what the home decides is set, shown with where it comes from, and unset', { skip: onlyInAll() }, () => {
  const upkeep = [
    'gate=auto',
    'gate-action=hold',
    'gate-keyring=none',
    'keep=all',
    'grace=0',
    'on-commit=none',
    'on-problem=none',
    'hook-timeout=60s',
  ];
  const storing = ['replication=1', 'allocate-by=freespace', `shard-size=${128 * 2 ** 20}`, 'cid-profile=unixfs-v1-2025', 'shared=no'];
  const defaults = [...storing, ...upkeep];
  assert.deepEqual(
    settings(),
    defaults.map((it) => `${it} default`),
  );
  assert.match(program.succeeds('config', 'replication', '2').stdout, /^replication of the home: 1 → 2\n.*`shardctl repair`/);
  program.succeeds('config', 'shard-size', '64MiB');
  program.succeeds('config', 'allocate-by', 'prefer:x,weight');
  program.succeeds('config', 'cid-profile', 'unixfs-v0-2015');
  assert.deepEqual(settings('replication'), ['replication=2 home']);
  assert.deepEqual(settings().slice(1), [
    'allocate-by=prefer:x,weight home',
    `shard-size=${64 * 2 ** 20} home`,
    'cid-profile=unixfs-v0-2015 home',
    'shared=no default',
    ...upkeep.map((it) => `${it} default`),
  ]);
  for (const key of ['shard-size', 'allocate-by', 'cid-profile']) program.succeeds('config', key, '--unset');
  assert.deepEqual(
    settings().slice(1),
    defaults.slice(1).map((it) => `${it} default`),
  );
  program.succeeds('add', 'm');
  assert.match(program.succeeds('status').stdout, /each on 2 or more peers/);
  assert.match(program.succeeds('config', 'replication', '-1').stdout, /2 → -1/);
  assert.match(program.succeeds('config', '--unset', 'replication').stdout, /-1 → 1\nshards that are stored already keep their replicas/);
});

test('a repository is held to what is said of it, before what the home decides', { skip: onlyInAll() }, () => {
  program.succeeds('add', 'm');
  assert.deepEqual(settings('--repository', 'm').slice(0, 2), ['m replication=1 default', 'm allocate-by=freespace default']);
  program.succeeds('config', 'replication', '2', '--repository', 'm');
  program.succeeds('config', 'allocate-by', 'weight', '--repository', 'm');
  assert.deepEqual(settings('--repository', 'm').slice(0, 2), ['m replication=2 repository', 'm allocate-by=weight repository']);
  program.ends(46, 'verify');
  program.succeeds('repair');
  program.succeeds('verify');
  program.succeeds('config', 'allocate-by', '--unset', '--repository', 'm');
  assert.deepEqual(settings('allocate-by', '--repository', 'm'), ['m allocate-by=freespace default']);
  program.succeeds('config', 'replication', '--unset', '--repository', 'm');
  assert.deepEqual(settings('replication'), ['replication=1 default', 'm replication=1 default']);
});

test('what makes no sense is refused, and nothing is set', { skip: onlyInAll() }, () => {
  const before = readFileSync(config(), 'utf8');
  program.fails(2, /replication "0"/, 'config', 'replication', '0');
  program.fails(2, /allocate-by "near": unknown allocator/, 'config', 'allocate-by', 'near');
  program.fails(2, /names the peer "z"/, 'config', 'allocate-by', 'pinned-to:z');
  program.fails(2, /shard-size "big"/, 'config', 'shard-size', 'big');
  program.fails(2, /./, 'config', 'cid-profile', 'v9');
  program.fails(2, /"colour" is no setting/, 'config', 'colour', 'red');
  program.fails(2, /"shard-size" is no setting of a repository/, 'config', 'shard-size', '1MiB', '--repository', 'm');
  program.fails(40, /no repository "z"/, 'config', 'replication', '2', '--repository', 'z');
  program.fails(2, /--unset/, 'config', '--unset');
  program.fails(2, /--restore/, 'config', 'replication', '--restore');
  assert.equal(readFileSync(config(), 'utf8'), before);
});

test('settings that cannot be read are mended by the command that the message names; a change is told once, and not with -q', {
  skip: sample(),
}, () => {
  program.succeeds('add', 'm', '-q');
  const good = readFileSync(config(), 'utf8');
  writeFileSync(config(), good.replace('"peers"', '"peerS"'));
  program.fails(2, /unknown field "peerS".*`shardctl config --restore`/, 'status');
  program.fails(2, /`shardctl config --restore`/, 'update');
  assert.match(program.succeeds('config', '--restore').stdout, /is written again/);
  assert.equal(readFileSync(config(), 'utf8'), good);
  const edit = () => writeFileSync(config(), good.replace('"min": 1', '"min": 2').replace('"max": 1', '"max": 2'));
  edit();
  assert.match(
    program.succeeds('status').stderr,
    /config\.json is not what it was: replication\.min: 1 → 2; .*`shardctl config --restore`/,
  );
  assert.equal(program.succeeds('status').stderr, '');
  program.succeeds('config', '--restore');
  edit();
  assert.equal(program.succeeds('update', '-q').stderr, '');
});

test('a home that has lost its settings is not made anew: every command names the one that writes them again', { skip: sample() }, () => {
  program.succeeds('add', 'm', '--replication', '2');
  const before = readFileSync(join(program.home, 'config.json'), 'utf8');
  rmSync(join(program.home, 'config.json'));
  for (const argv of [['status'], ['update', 'm'], ['add', 'm'], ['config'], ['peers', 'add', 'local', 'z']])
    program.fails(40, /has lost its settings.*`shardctl config --restore`/, ...argv);
  assert.match(program.succeeds('config', '--restore').stdout, /it was gone/);
  assert.equal(readFileSync(join(program.home, 'config.json'), 'utf8'), before);
  program.succeeds('update', 'm');
});

test('what upkeep asks is kept for the home and for a repository, and survives an update', { skip: sample() }, () => {
  program.succeeds('add', 'm');
  program.succeeds('config', 'keep', 'daily=7,within=30d');
  program.succeeds('config', 'grace', '6h');
  program.succeeds('config', 'on-commit', 'echo "$SHARDCTL_ROOT"');
  program.succeeds('config', 'keep', 'all', '--repository', 'm');
  program.succeeds('config', 'on-commit', 'none', '--repository', 'm');
  writeFileSync(program.path('m', 'b'), 'b');
  program.succeeds('update', 'm');
  assert.deepEqual(settings('keep'), ['keep=daily=7,within=30d home', 'm keep=all repository']);
  assert.deepEqual(settings('on-commit'), ['on-commit=echo "$SHARDCTL_ROOT" home', 'm on-commit=none repository']);
  program.succeeds('config', 'keep', '--unset', '--repository', 'm');
  assert.deepEqual(settings('keep').slice(1), ['m keep=daily=7,within=30d home']);
  for (const [key, value] of [
    ['keep', 'daily'],
    ['keep', 'daily=x'],
    ['keep', 'sometimes=3'],
    ['grace', '6'],
    ['hook-timeout', 'soon'],
  ] as const)
    program.ends(2, 'config', key, value);
  program.ends(2, 'config', 'grace', '6h', '--repository', 'm');
});

test('config set, get, unset and ls are what config does in fewer words; a slip is told what may have been meant', {
  skip: sample(),
}, () => {
  program.succeeds('add', 'm');
  const get = (...argv: string[]) => program.succeeds('config', 'get', ...argv).stdout;
  assert.equal(get('replication'), '1\n');
  assert.match(program.succeeds('config', 'set', 'replication', '2').stdout, /^replication of the home: 1 → 2\n/);
  program.succeeds('config', 'set', 'replication', '-1', '--repository', 'm');
  assert.deepEqual([get('replication'), get('replication', '--repository', 'm')], ['2\n', '-1\n']);
  assert.deepEqual(settings('ls', 'replication'), ['replication=2 home', 'm replication=-1 repository']);
  assert.equal(program.succeeds('config', 'ls').stdout, program.succeeds('config').stdout);
  program.succeeds('config', 'unset', 'replication', '--repository', 'm');
  program.succeeds('config', 'unset', 'replication');
  assert.deepEqual(settings('ls', 'replication'), ['replication=1 default', 'm replication=1 default']);
  program.fails(2, /"grase" is no setting of a home.*did you mean grace\?/, 'config', 'set', 'grase', '6h');
  program.fails(2, /grace "6" is not a time/, 'config', 'set', 'grace', '6');
  program.fails(2, /VALUE is missing/, 'config', 'set', 'grace');
  program.fails(2, /hook-timeout "0s" is not a time/, 'config', 'set', 'hook-timeout', '0s');
  program.fails(2, /keep "daily=0": that keeps nothing/, 'config', 'set', 'keep', 'daily=0');
  program.fails(2, /these rules keep nothing/, 'forget', 'm', '--keep-last', '0');
});

test('settings that are set while an add goes on are kept, and so is what the add makes', { skip: sample() }, async () => {
  for (let i = 0; i < 200; i++) writeFileSync(program.path('m', `f${i}`), `${i}`);
  const values = ['1h', '2h', '3h', '4h'];
  const adding = program.follow(() => {}, 'add', 'm', '--name', 'beside', '--lock-wait', '60');
  for (const value of values) {
    const { code } = await program.follow(() => {}, 'config', 'set', 'grace', value, '--lock-wait', '60');
    assert.equal(code, 0);
    await program.follow(() => {}, 'config', 'set', 'keep', 'last=3', '--repository', 'beside', '--lock-wait', '60');
  }
  assert.equal((await adding).code, 0);
  assert.deepEqual(settings('ls', 'grace'), ['grace=4h home']);
  assert.deepEqual(program.head('beside').number, 1);
  program.succeeds('verify', '--read-data');
});

test('with --json a setting that is set or unset is told as it is now', { skip: sample() }, () => {
  program.succeeds('add', 'm', '-q');
  assert.deepEqual(settings('set', 'keep', 'last=3'), ['keep=last=3 home']);
  assert.deepEqual(settings('set', 'keep', 'last=5', '--repository', 'm'), ['m keep=last=5 repository']);
  assert.deepEqual(settings('unset', 'keep', '--repository', 'm'), ['m keep=last=3 home']);
  assert.deepEqual(settings('keep', '--unset'), ['keep=all default']);
  const [line = ''] = program.succeeds('version', '--json').lines;
  assert.equal((JSON.parse(line) as { version: string }).version, program.succeeds('--version').lines[0]);
});

test('the environment says what the command line does not, before what home and repository ask for', { skip: sample() }, () => {
  const told = new Program({ SHARDCTL_HOME: program.home, SHARDCTL_REPLICATION: '2', SHARDCTL_QUIET: '1', SHARDCTL_GRACE: 'x' });
  try {
    assert.equal(told.succeeds('add', program.path('m')).stdout, '');
    // It was so for that run, and is not remembered.
    program.succeeds('verify', '--replication', '2');
    assert.deepEqual(settings('replication', '--repository', 'm'), ['m replication=1 default']);
    told.succeeds('add', program.path('m'), '--replication', '1');
    assert.deepEqual(settings('replication', '--repository', 'm'), ['m replication=1 repository']);
    told.fails(2, /^shardctl: SHARDCTL_GRACE "x" is not a time/, 'update', 'm');
    told.succeeds('update', 'm', '--grace', '1h');
    // `get` without --delete does not wait for a lock, and takes no option for that.
    const waits = new Program({ SHARDCTL_HOME: program.home, SHARDCTL_LOCK_WAIT: '5', SHARDCTL_MAX_DELETE: '5%' });
    waits.succeeds('get', 'm', '-o', program.path('out'));
    waits.fails(2, /^shardctl: --lock-wait goes with --delete/, 'get', 'm', '-o', program.path('out2'), '--lock-wait', '1');
    waits.dispose();
  } finally {
    told.dispose();
  }
});
