import assert from 'node:assert/strict';
import {
  chmodSync,
  cpSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { oneIn } from '../../testing/depth.ts';
import { fixture, Program } from '../../testing/program.ts';

const sample = oneIn(10);

let program: Program;
beforeEach(() => {
  program = new Program();
});
afterEach(() => program.dispose());

function mirror(): string {
  const source = program.path('mirror');
  cpSync(fixture('npm'), source, { recursive: true });
  symlinkSync('nowhere', join(source, 'latest'));
  chmodSync(join(source, 'ms/index.json'), 0o640);
  utimesSync(join(source, 'ms/index.json'), 1e9, 1e9 + 0.5);
  return source;
}

/** Names, kinds, bytes, modes and times of a tree. */
function tree(root: string): Record<string, unknown> {
  const names = readdirSync(root, { recursive: true, encoding: 'utf8' }).sort();
  return Object.fromEntries(
    names.map((name) => {
      const stat = lstatSync(join(root, name), { bigint: true });
      const data = stat.isFile() ? readFileSync(join(root, name), 'base64') : '';
      return [name, [stat.isSymbolicLink() ? '' : stat.mode, stat.mtimeNs, data]];
    }),
  );
}

test('what was added comes back with names, bytes, modes and times', { skip: sample() }, () => {
  const source = mirror();
  const { stdout } = program.succeeds('add', source);
  assert.match(stdout, /^mirror@1: committed\n {2}holds {5}\d+ files/);
  program.succeeds('get', 'mirror', '-o', 'copy');
  assert.deepEqual(tree(program.path('copy')), tree(source));
  program.succeeds('get', 'mirror@1/ms/index.json', '-o', 'one.json');
  assert.deepEqual(readFileSync(program.path('one.json')), readFileSync(join(source, 'ms/index.json')));
  assert.equal(program.succeeds('cat', 'mirror/ms/index.json').stdout, readFileSync(join(source, 'ms/index.json'), 'utf8'));
  assert.deepEqual(program.succeeds('ls', 'mirror/ms').lines, ['-/', 'index.json']);
  assert.match(program.succeeds('ls', '-l', 'mirror/ms').stdout, /^-rw-r----- +\d+ 2001-09-09 01:46:40\.500000000 \S+ index\.json$/m);
});

test('an add of the same tree is a no-op, and -Q prints the same root', { skip: sample() }, () => {
  const source = mirror();
  const { lines } = program.succeeds('add', source, '-Q');
  assert.match(lines[0] ?? '', /^baf[a-z2-7]+$/);
  assert.equal(lines.length, 1);
  assert.match(program.succeeds('add', source).stdout, /nothing has changed/);
  assert.deepEqual(program.succeeds('add', source, '-Q').lines, lines);
  assert.equal(program.succeeds('snapshots').lines.length, 2, 'a head line and one snapshot');
  const quiet = program.succeeds('add', source, '-q');
  assert.equal(quiet.stdout + quiet.stderr, '');
});

test('a path that is not in the tree is answered with the command that lists the tree', { skip: sample() }, () => {
  program.succeeds('add', mirror());
  for (const command of [['ls'], ['cat'], ['get', '-o', 'out'], ['export', '--car', 'out.car']]) {
    const { code, stderr } = program.run(...command, 'mirror@1/ms/nowhere');
    const [, hint] = /there is no "nowhere" in "ms"; `shardctl (.+)` shows what is there/.exec(stderr) ?? [];
    assert.ok(code === 40 && hint !== undefined, `${command.join(' ')}: exit code ${code}: ${stderr}`);
    assert.match(program.succeeds(...hint.split(' ')).stdout, /^ms\/$/m);
  }
});

test('a changed tree is a new snapshot, and the old one can still be read', { skip: sample() }, () => {
  const source = mirror();
  writeFileSync(join(source, 'readme'), 'old');
  program.succeeds('add', source);
  writeFileSync(join(source, 'readme'), 'new');
  assert.match(program.succeeds('add', source).stdout, /^mirror@2: committed/);
  assert.equal(program.succeeds('cat', 'mirror/readme').stdout, 'new');
  assert.equal(program.succeeds('cat', 'mirror@1/readme').stdout, 'old');
});

test('status, snapshots, peers ls and verify agree on what is there', { skip: sample() }, () => {
  program.succeeds('add', mirror(), '--name', '007');
  assert.match(program.succeeds('status').stdout, /^007 +@1 /m);
  assert.match(program.succeeds('snapshots', '007').stdout, /^007@1 /m);
  assert.match(program.succeeds('peers', 'ls').stdout, /^local +\d+ /m);
  assert.match(program.succeeds('verify').stdout, /no damage/);
  assert.match(program.succeeds('verify', '--read-data', '007@1').stdout, /no damage/);
  assert.match(program.succeeds('verify', '007', '007@1').stdout, /^2 shards looked at/);
  const records = program.succeeds('status', '--json').lines.map((line) => JSON.parse(line) as { type: string });
  assert.deepEqual(
    records.map(({ type }) => type),
    ['repository', 'replication', 'peer-status', 'exit'],
  );
});

test('damage is named, and verify ends with 44', { skip: sample() }, () => {
  program.succeeds('add', mirror());
  const shards = join(program.home, 'peers/local/shards');
  const cars = readdirSync(shards, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.car'));
  // The larger one is the shard, the other its catalogue.
  const [car = ''] = cars.map((name) => join(shards, name)).sort((a, b) => lstatSync(b).size - lstatSync(a).size);
  const bytes = readFileSync(car);
  bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] as number) ^ 1;
  chmodSync(car, 0o644);
  writeFileSync(car, bytes);
  const { code, stderr } = program.run('verify', '--read-data', '-q');
  assert.equal(code, 44);
  assert.match(stderr, /^damage: /);
});

test('shards are spread over configured peers and replicated', { skip: sample() }, () => {
  for (const name of ['a', 'b']) program.succeeds('peers', 'add', 'local', name, '--capacity', '1GB', '--tag', `zone=${name}`);
  program.succeeds('add', mirror(), '--replication', '2');
  const { stdout } = program.succeeds('peers', 'ls', '--json');
  const peers = stdout
    .split('\n')
    .slice(0, 2)
    .map((line) => JSON.parse(line) as { name: string; shards: number; capacity: number; tags: object });
  assert.deepEqual(
    peers.map(({ name, capacity, tags }) => [name, capacity, tags]),
    [
      ['a', 1e9, { zone: 'a' }],
      ['b', 1e9, { zone: 'b' }],
    ],
  );
  assert.equal(peers[0]?.shards, peers[1]?.shards);
  program.fails(42, /replica|peers/i, 'add', program.path('mirror'), '--name', 'more', '--replication', '3');
});

test('two mirrors whose directories have the same name do not replace each other', { skip: sample() }, () => {
  for (const name of ['rpm', 'debian']) {
    mkdirSync(program.path(name, 'mirror'), { recursive: true });
    writeFileSync(program.path(name, 'mirror', 'file'), name);
  }
  program.succeeds('add', 'rpm/mirror');
  program.fails(2, /repository mirror is the import of .*rpm\/mirror, which is still there; .*--name/, 'add', 'debian/mirror');
  program.succeeds('add', 'debian/mirror', '--name', 'debian');
  rmSync(program.path('rpm'), { recursive: true });
  assert.match(program.succeeds('add', 'debian/mirror').stderr, /warning: repository mirror was imported from .*rpm\/mirror before/);
});

test('exclude and include rules count in the order in which they are given', { skip: sample() }, () => {
  const source = mirror();
  writeFileSync(program.path('rules'), '# comment\n\n+ keep.tmp\n*.tmp\n');
  for (const name of ['keep.tmp', 'drop.tmp', 'drop.log']) writeFileSync(join(source, name), name);
  program.succeeds('add', source, '--exclude-from', 'rules', '--exclude', '/drop.log');
  assert.deepEqual(program.succeeds('ls', 'mirror').lines, ['@types/', 'inherits/', 'keep.tmp', 'latest', 'ms/']);
});
