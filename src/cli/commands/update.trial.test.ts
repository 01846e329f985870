/** `update` and `diff` as a user and a cron job meet them. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { oneIn, onlyInAll } from '../../testing/depth.ts';
import { fixture, Program } from '../../testing/program.ts';

const sample = oneIn(8);

let program: Program;
beforeEach(() => {
  program = new Program();
});
afterEach(() => program.dispose());

function mirror(name: 'npm' | 'rpm'): string {
  const path = program.path(name);
  cpSync(fixture(name), path, { recursive: true, verbatimSymlinks: true });
  return path;
}

test('an update takes source and settings from the add', { skip: sample() }, () => {
  const source = mirror('npm');
  program.succeeds('add', source, '--name', 'n', '--no-metadata', '--chunker', 'size-1000', '--exclude', '*.tgz');
  writeFileSync(join(source, 'new'), 'new');
  const { lines } = program.succeeds('update', '-Q');
  const other = program.path('other');
  const options = ['--name', 'n', '--no-metadata', '--chunker', 'size-1000', '--exclude', '*.tgz', '--home', other];
  assert.deepEqual(program.succeeds('add', source, '-Q', ...options).lines, lines);
});

test('which repository is meant must be clear', { skip: sample() }, () => {
  program.fails(40, /no shardctl home/, 'update');
  assert.ok(!existsSync(program.home));
  program.succeeds('add', mirror('npm'));
  program.succeeds('update');
  program.succeeds('add', mirror('rpm'));
  program.fails(2, /which repository\? there is npm, rpm; or say --all/, 'update');
  program.fails(2, /--all and a NAME/, 'update', 'npm', '--all');
  program.fails(40, /no repository "deb"; there is npm, rpm/, 'update', 'npm', 'deb');
  program.fails(2, /unknown option --no-metadata for `shardctl update`/, 'update', 'npm', '--no-metadata');
  const events = program
    .succeeds('update', 'rpm', 'npm', '--json')
    .lines.map((line) => JSON.parse(line) as { type: string; repository: string });
  assert.deepEqual(
    events.filter(({ type }) => type === 'summary').map(({ repository }) => repository),
    ['npm', 'rpm'],
  );
});

test('of several repositories one that fails does not stop the others, and the worst code is the run’s', { skip: sample() }, () => {
  const [npm, rpm] = [mirror('npm'), mirror('rpm')];
  program.succeeds('add', npm);
  program.succeeds('add', rpm);
  rmSync(npm, { recursive: true });
  writeFileSync(join(rpm, 'new'), 'new');
  const { code, stdout, stderr } = program.run('update', '--all');
  assert.equal(code, 40);
  assert.match(stdout, /^rpm@2: committed/);
  assert.match(stderr, /^shardctl: npm: no such directory: .*npm; .*mounted\?\n$/);
  const events = program.run('update', '--all', '--json').lines.map((line) => JSON.parse(line) as { type: string; code: unknown });
  assert.deepEqual(
    events.filter(({ type }) => type === 'failed' || type === 'exit').map(({ type, code: of }) => `${type} ${of}`),
    ['failed SOURCE_MISSING', 'exit 40'],
  );
});

test('a suddenly empty source ends with 25, in one line, and a dry run too', { skip: sample() }, () => {
  const source = mirror('npm');
  program.succeeds('add', source);
  for (const name of readdirSync(source)) rmSync(join(source, name), { recursive: true });
  program.fails(25, /the source is empty.*is its disk mounted\?.*--max-delete none/, 'update');
  program.fails(25, /--max-delete/, 'add', source);
  assert.equal(program.run('update', '-n').code, 25);
  program.fails(2, /--max-delete "half" is not/, 'update', '--max-delete', 'half');
  assert.match(program.succeeds('update', '--max-delete', 'none').stdout, /^npm@2: committed/);
});

test('-n shows what -i then tells, and makes nothing, not even a home', { skip: sample() }, () => {
  const source = mirror('npm');
  const first = program.succeeds('add', source, '-n');
  assert.match(first.stdout, /^cd\+\+\+\+\+\+\+\+\+ \.\/\n/);
  assert.match(first.stdout, /^ {2}to read {3}8 files, /m);
  assert.ok(!existsSync(program.home));
  program.succeeds('add', source);
  writeFileSync(join(source, 'new'), 'new');
  const changes = (stdout: string) => stdout.split('\n').filter((line) => /^[>c.*][fdL]\S{9} /.test(line) && !line.includes('?'));
  const planned = changes(program.succeeds('update', '-n').stdout);
  assert.deepEqual(planned, ['.d..t...... ./', '>f+++++++++ new']);
  assert.deepEqual(changes(program.succeeds('update', '-i').stdout), planned);
  assert.deepEqual(program.succeeds('diff', 'npm@1', 'npm').lines, planned);
  assert.equal(program.succeeds('diff', 'npm@1', 'npm', '-q').stdout, '');
  assert.deepEqual(program.succeeds('diff', 'npm@1/ms', 'npm/ms').lines, []);
  assert.equal(program.succeeds('update', '-q', '-n').stdout, '');
});

test('with --ignore-ctime a chmod shows as metadata only', { skip: sample() }, () => {
  const source = mirror('npm');
  program.succeeds('add', source);
  // Files copied just now are racy, and would be read.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
  program.succeeds('update');
  chmodSync(join(source, 'ms/index.json'), 0o600);
  assert.equal(program.succeeds('update', '-i', '--ignore-ctime').lines[0], '.f...p..... ms/index.json');
});

test('metrics are written after a good run, after a bad one, and for each repository', { skip: sample() }, () => {
  const source = mirror('npm');
  const file = program.path('shardctl.prom');
  program.fails(2, /--metrics-file none\/m.prom: there is no directory/, 'add', source, '--metrics-file', 'none/m.prom');
  mkdirSync(program.path('m.dir'));
  program.fails(2, /--metrics-file m.dir: that is no file/, 'add', source, '--metrics-file', 'm.dir');
  program.succeeds('add', source, '--metrics-file', file);
  const value = (name: string, repository: string) =>
    Number(new RegExp(`^shardctl_${name}\\{repository="${repository}"\\} (\\S+)$`, 'm').exec(readFileSync(file, 'utf8'))?.[1]);
  assert.equal(value('files', 'npm'), 8);
  assert.equal(value('last_run_exit_code', 'npm'), 0);
  assert.equal(value('last_run_changed_entries', 'npm'), 15);
  assert.ok(value('last_run_new_bytes', 'npm') > 0);
  assert.equal(value('shards_under_replicated', 'npm'), 0);
  const stamp = value('snapshot_timestamp_seconds', 'npm');
  renameSync(source, program.path('away'));
  assert.equal(program.run('update', '--metrics-file', file).code, 40);
  assert.equal(value('last_run_exit_code', 'npm'), 40);
  assert.equal(value('snapshot_timestamp_seconds', 'npm'), stamp);
  program.succeeds('add', mirror('rpm'));
  assert.equal(program.run('update', '--all', '--metrics-file', file).code, 40);
  assert.deepEqual([value('last_run_exit_code', 'npm'), value('last_run_exit_code', 'rpm'), value('shards', 'rpm')], [40, 0, 1]);
  assert.ok(!readdirSync(program.dir).some((name) => name.startsWith('shardctl.prom.')));
});

test('what others have put beside the file of metrics is neither written to nor waited for', { skip: sample() }, () => {
  const source = mirror('npm');
  writeFileSync(program.path('victim'), 'precious');
  symlinkSync('victim', program.path('linked.prom.tmp'));
  execFileSync('mkfifo', [program.path('held.prom.tmp')]);
  program.succeeds('add', source, '--metrics-file', 'linked.prom');
  program.succeeds('update', '--metrics-file', 'held.prom');
  for (const file of ['linked.prom', 'held.prom']) assert.match(readFileSync(program.path(file), 'utf8'), /^shardctl_files\{/m);
  assert.equal(readFileSync(program.path('victim'), 'utf8'), 'precious');
});

test('what came from elsewhere is passed over by update --all, and by its name says how it came and what helps', {
  skip: onlyInAll(),
}, () => {
  const source = mirror('npm');
  program.succeeds('add', source);
  program.succeeds('export', 'npm', '--car', 'npm.car');
  program.succeeds('import-car', 'npm.car', '--name', 'copy');
  writeFileSync(join(source, 'new'), 'new');
  const quiet = program.succeeds('update', '--all', '-q', '--metrics-file', 'm.prom');
  assert.equal(quiet.stdout + quiet.stderr, '');
  assert.doesNotMatch(readFileSync(program.path('m.prom'), 'utf8'), /repository="copy"/);
  const { stdout, stderr } = program.succeeds('update', '--all');
  assert.match(stdout, /^copy: passed over, it came as a CAR, and has no source\nnpm@2: nothing has changed\n/);
  assert.equal(stderr, '');
  assert.match(program.succeeds('update', '--all', '-n').stdout, /^copy: passed over/);
  const events = program.succeeds('update', '--all', '--json').lines.map((line) => JSON.parse(line) as { type: string });
  assert.ok(events.some(({ type }) => type === 'passed-over'));
  program.fails(40, /copy has nothing to be updated from: it came as a CAR.*`shardctl add DIR --name copy`/, 'update', 'copy');
  // The command that it names works, and then it is as any other.
  program.succeeds('add', source, '--name', 'copy');
  assert.match(program.succeeds('update', '--all').stdout, /^copy@2: nothing has changed\n/);
});

test('a recovered repository is passed over, too, until its source was read and is the same', { skip: sample() }, () => {
  const source = mirror('npm');
  program.succeeds('peers', 'add', 'local', 'd1');
  program.succeeds('add', source);
  rmSync(program.home, { recursive: true });
  program.succeeds('recover', '--all', '--from', 'd1');
  const quiet = program.succeeds('update', '--all', '-q');
  assert.equal(quiet.stdout + quiet.stderr, '');
  assert.match(program.succeeds('update', '--all').stdout, /^npm: passed over, it was recovered, and its source is not known any more\n$/);
  assert.match(program.run('update', 'npm').stderr, /it was recovered/);
  program.succeeds('add', source);
  assert.match(program.succeeds('update', '--all').stdout, /^npm@1: nothing has changed\n/);
});

test('peers that are away have one line each in the mail, however many repositories and shards they hit', { skip: sample() }, () => {
  for (const name of ['d1', 'd2', 'd3', 'd4']) program.succeeds('peers', 'add', 'local', name);
  for (const name of ['npm', 'rpm'] as const) program.succeeds('add', mirror(name), '--replication', '2', '--shard-size', '64KiB', '-q');
  const change = (text: string) => {
    for (const name of ['npm', 'rpm']) writeFileSync(program.path(name, 'new'), text);
  };
  const mail = (...argv: string[]) => {
    const { code, stdout, stderr } = program.run(...argv, '-q');
    assert.equal(stdout, '');
    return { code, lines: stderr.split('\n').slice(0, -1) };
  };
  renameSync(program.path('d1'), program.path('away1'));
  change('one');
  for (const argv of [['update', '--all'], ['verify']]) {
    const { lines } = mail(...argv);
    assert.ok(lines.length === 1 && lines[0]?.includes('"d1" is not there'), `${argv}: ${lines.join('\n')}`);
  }
  // Whether `prune` has to ask d1 depends on which peers the shards have come to.
  const pruned = mail('prune').lines;
  assert.ok(pruned.length <= 1 && pruned.every((line) => line.includes('"d1" is not there')), pruned.join('\n'));
  for (const name of ['d2', 'd3']) renameSync(program.path(name), program.path(`${name}-away`));
  change('two');
  for (const argv of [
    ['update', '--all'],
    ['update', '--all', '-n'],
  ]) {
    const { code, lines } = mail(...argv);
    assert.deepEqual([code, lines.length], [42, 1], lines.join('\n'));
    assert.match(
      lines[0] ?? '',
      /^shardctl: npm, rpm: 2 replicas are asked for, but 1 of 4 peers can be used; [^;]*"d1"[^;]*; [^;]*"d2"[^;]*; [^;]*"d3"/,
    );
  }
});
