import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  cpSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { acquireLock } from '../home/lock.ts';
import { systemProcesses } from './process-table.ts';

const BIN = fileURLToPath(new URL('../../../bin/shardctl.js', import.meta.url));
const FIXTURE = fileURLToPath(new URL('../../../fixtures/npm', import.meta.url));

let dir: string;
let home: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'shardctl-main-'));
  home = join(dir, 'home');
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function shardctl(...argv: string[]) {
  const env = { ...process.env, SHARDCTL_HOME: home };
  const { status, stdout, stderr } = spawnSync(process.execPath, [BIN, ...argv], { cwd: dir, env, encoding: 'utf8' });
  return { code: status, stdout, stderr, lines: stdout.split('\n').slice(0, -1) };
}

function succeeds(...argv: string[]) {
  const result = shardctl(...argv);
  assert.equal(result.code, 0, `${argv.join(' ')}: ${result.stderr}`);
  return result;
}

/** A user's mistake is one line on stderr and never a stack. */
function fails(code: number, line: RegExp, ...argv: string[]): void {
  const { code: actual, stdout, stderr } = shardctl(...argv);
  assert.match(stderr, /^shardctl: [^\n]+\n$/);
  assert.match(stderr, line);
  assert.equal(actual, code, stderr);
  assert.equal(stdout, '');
}

function mirror(): string {
  const source = join(dir, 'mirror');
  cpSync(FIXTURE, source, { recursive: true });
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

test('--version and --help answer and succeed', () => {
  assert.match(succeeds('--version').stdout, /^\d+\.\d+\.\d+\n$/);
  assert.match(succeeds('--help').stdout, /shardctl peers add local PATH/);
  assert.match(succeeds('add', '--help').stdout, /--shard-size SIZE/);
});

test('a command line that is wrong ends with 2, one line and where to find help', () => {
  fails(2, /unknown option --colour; try `shardctl add --help`/, 'add', '--colour', '.');
  fails(2, /no command given/);
  fails(2, /--shard-size "big" is not a size/, 'add', '.', '--shard-size', 'big');
  fails(2, /--replication "3:2"/, 'add', '.', '--replication', '3:2');
  fails(2, /unknown CID profile "v9"/, 'add', '.', '--cid-profile', 'v9');
  fails(2, /--lock-wait soon/, 'add', '.', '--name', 'x', '--lock-wait', 'soon', '--home', join(dir, '..', `${Date.now()}-none`));
  fails(2, /cannot read the patterns in none: ENOENT/, 'add', '.', '--exclude-from', 'none');
  fails(2, /--tag "zone" is not KEY=VALUE/, 'peers', 'add', 'local', 'p', '--tag', 'zone');
});

test('a mistake makes no home', () => {
  fails(40, /none/, 'add', 'none');
  fails(40, /no shardctl home at .*home; run `shardctl add DIR` first/, 'status');
  assert.deepEqual(readdirSync(dir), []);
});

test('a source that is no directory is refused', () => {
  writeFileSync(join(dir, 'file'), '');
  fails(2, /file/, 'add', 'file');
});

test('a home or a peer inside the source is refused, also through a symlink', () => {
  mkdirSync(join(dir, 'mirror/deep'), { recursive: true });
  symlinkSync('mirror/deep', join(dir, 'link'));
  fails(2, /the home \(.*\) is inside the directory to add/, 'add', 'mirror', '--home', 'mirror/home');
  fails(2, /the home \(.*\) is inside/, 'add', 'mirror', '--home', 'link/home');
  fails(2, /the home \(.*\) is inside/, 'add', 'mirror', '--home', 'mirror');
  succeeds('peers', 'add', 'local', 'link/peer');
  fails(2, /peer "peer" \(.*\) is inside the directory to add/, 'add', 'mirror');
});

test("somebody else's directory is taken neither as a home nor as a peer", () => {
  mkdirSync(join(dir, 'thesis'));
  writeFileSync(join(dir, 'thesis/chapter1.tex'), '');
  mkdirSync(join(dir, 'mirror'));
  fails(2, /not a shardctl home, and it is not empty/, 'add', 'mirror', '--home', 'thesis');
  fails(2, /not a peer, and it is not empty/, 'peers', 'add', 'local', 'thesis');
});

test('a home of a newer format is refused with 45', () => {
  mkdirSync(home);
  writeFileSync(join(home, 'config.json'), '{"format": 2}');
  fails(45, /config\.json has format 2; this shardctl reads up to format 1/, 'add', dir, '--name', 'x', '--home', home);
  fails(45, /format 2/, 'status');
});

test('a second run is refused with 41 and told who holds the home; reading goes on', async () => {
  const source = mirror();
  succeeds('add', source);
  const lock = await acquireLock(join(home, 'lock'), {
    command: 'shardctl add other',
    waitMs: 0,
    processes: systemProcesses(),
    now: Date.now,
  });
  fails(41, new RegExp(`locked by \`shardctl add other\`, pid ${process.pid}, since .*--lock-wait`), 'add', source);
  succeeds('status');
  lock.release();
  succeeds('add', source);
  assert.deepEqual(readdirSync(join(home, 'lock')), []);
});

test('--json ends with an exit line, also for a mistake', () => {
  const { lines, stderr, code } = shardctl('add', 'none', '--json');
  const exit = JSON.parse(lines.at(-1) ?? '') as { type: string; code: number; error: { code: string } };
  assert.deepEqual([exit.type, exit.code, exit.error.code, code, stderr], ['exit', 40, 'SOURCE_MISSING', 40, '']);
  assert.match(shardctl('add', '--json', '--colour').stdout, /^\{"type":"exit","code":2,/);
});

test('what was added comes back with names, bytes, modes and times', () => {
  const source = mirror();
  const { stdout } = succeeds('add', source);
  assert.match(stdout, /^mirror@1: committed\n {2}holds {5}\d+ files/);
  succeeds('get', 'mirror', '-o', 'copy');
  assert.deepEqual(tree(join(dir, 'copy')), tree(source));
  succeeds('get', 'mirror@1/ms/index.json', '-o', 'one.json');
  assert.deepEqual(readFileSync(join(dir, 'one.json')), readFileSync(join(source, 'ms/index.json')));
  assert.equal(succeeds('cat', 'mirror/ms/index.json').stdout, readFileSync(join(source, 'ms/index.json'), 'utf8'));
  assert.deepEqual(succeeds('ls', 'mirror/ms').lines, ['-', 'index.json']);
  assert.match(succeeds('ls', '-l', 'mirror/ms').stdout, /^-rw-r----- +\d+ 2001-09-09 01:46:40\.500000000 \S+ index\.json$/m);
});

test('an add of the same tree is a no-op, and -Q prints the same root', () => {
  const source = mirror();
  const { lines } = succeeds('add', source, '-Q');
  assert.match(lines[0] ?? '', /^baf[a-z2-7]+$/);
  assert.equal(lines.length, 1);
  assert.match(succeeds('add', source).stdout, /nothing has changed/);
  assert.deepEqual(succeeds('add', source, '-Q').lines, lines);
  assert.equal(succeeds('snapshots').lines.length, 2, 'a head line and one snapshot');
  const quiet = succeeds('add', source, '-q');
  assert.equal(quiet.stdout + quiet.stderr, '');
});

test('a changed tree is a new snapshot, and the old one can still be read', () => {
  const source = mirror();
  succeeds('add', source);
  writeFileSync(join(source, 'ms/index.json'), 'new');
  assert.match(succeeds('add', source).stdout, /^mirror@2: committed/);
  assert.equal(succeeds('cat', 'mirror/ms/index.json').stdout, 'new');
  assert.equal(succeeds('cat', 'mirror@1/ms/index.json').stdout, readFileSync(join(FIXTURE, 'ms/index.json'), 'utf8'));
});

test('status, snapshots, peers ls and verify agree on what is there', () => {
  succeeds('add', mirror(), '--name', '007');
  assert.match(succeeds('status').stdout, /^007 +@1 /m);
  assert.match(succeeds('snapshots', '007').stdout, /^007@1 /m);
  assert.match(succeeds('peers', 'ls').stdout, /^local +\d+ /m);
  assert.match(succeeds('verify').stdout, /no damage/);
  assert.match(succeeds('verify', '--read-data', '007@1').stdout, /no damage/);
  const records = succeeds('status', '--json').lines.map((line) => JSON.parse(line) as { type: string });
  assert.deepEqual(
    records.map(({ type }) => type),
    ['repository', 'peer-status', 'exit'],
  );
});

test('damage is named, and verify ends with 44', () => {
  succeeds('add', mirror());
  const shards = join(home, 'peers/local/shards');
  const car = readdirSync(shards, { recursive: true, encoding: 'utf8' }).find((name) => name.endsWith('.car')) as string;
  const bytes = readFileSync(join(shards, car));
  bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] as number) ^ 1;
  chmodSync(join(shards, car), 0o644);
  writeFileSync(join(shards, car), bytes);
  const { code, stderr } = shardctl('verify', '--read-data', '-q');
  assert.equal(code, 44);
  assert.match(stderr, /^damage: /);
});

test('shards are spread over configured peers and replicated', () => {
  for (const name of ['a', 'b']) succeeds('peers', 'add', 'local', name, '--capacity', '1GB', '--tag', `zone=${name}`);
  succeeds('add', mirror(), '--replication', '2');
  const { stdout } = succeeds('peers', 'ls', '--json');
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
  fails(42, /replica|peers/i, 'add', join(dir, 'mirror'), '--name', 'more', '--replication', '3');
});

test('the same directory is not two peers', () => {
  succeeds('peers', 'add', 'local', 'disk');
  fails(2, /there is a peer "disk" already/, 'peers', 'add', 'local', 'disk');
  fails(2, /is peer "disk" already/, 'peers', 'add', 'local', 'disk', '--name', 'other');
});

test('two mirrors whose directories have the same name do not replace each other', () => {
  for (const name of ['rpm', 'debian']) {
    mkdirSync(join(dir, name, 'mirror'), { recursive: true });
    writeFileSync(join(dir, name, 'mirror', 'file'), name);
  }
  succeeds('add', 'rpm/mirror');
  fails(2, /repository mirror is the import of .*rpm\/mirror, which is still there; .*--name/, 'add', 'debian/mirror');
  succeeds('add', 'debian/mirror', '--name', 'debian');
  rmSync(join(dir, 'rpm'), { recursive: true });
  assert.match(succeeds('add', 'debian/mirror').stderr, /warning: repository mirror was imported from .*rpm\/mirror before/);
});

test('exclude and include rules count in the order in which they are given', () => {
  const source = mirror();
  writeFileSync(join(dir, 'rules'), '# comment\n\n+ keep.tmp\n*.tmp\n');
  for (const name of ['keep.tmp', 'drop.tmp', 'drop.log']) writeFileSync(join(source, name), name);
  succeeds('add', source, '--exclude-from', 'rules', '--exclude', '/drop.log');
  assert.deepEqual(succeeds('ls', 'mirror').lines, ['@types', 'inherits', 'keep.tmp', 'latest', 'ms']);
});

test('a reader that stops early is no error', async () => {
  const source = mirror();
  writeFileSync(join(source, 'big'), Buffer.alloc(8 << 20, 'x'));
  succeeds('add', source);
  const child = spawn(process.execPath, [BIN, 'cat', 'mirror/big'], {
    env: { ...process.env, SHARDCTL_HOME: home },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  child.stdout.once('data', () => child.stdout.destroy());
  const [code] = await once(child, 'exit');
  assert.deepEqual([code, stderr], [0, '']);
});

test('an interrupted add says how to go on, leaves no lock, and the next one finishes', async () => {
  const source = join(dir, 'mirror');
  mkdirSync(source);
  for (let n = 0; n < 400; n += 1) writeFileSync(join(source, `file${n}`), Buffer.alloc(100_000, `${n} `));
  const child = spawn(process.execPath, [BIN, 'add', source, '--shard-size', '1MiB', '-v'], {
    env: { ...process.env, SHARDCTL_HOME: home },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => {
    if (stderr === '') child.kill('SIGINT');
    stderr += chunk.toString();
  });
  const [code] = await once(child, 'close');
  assert.match(stderr, /shardctl: interrupted; run the same command again: it goes on where it stopped\n$/);
  assert.equal(code, 130);
  assert.deepEqual(readdirSync(join(home, 'lock')), []);
  succeeds('add', source, '--shard-size', '1MiB');
  succeeds('verify', '--read-data');
});
