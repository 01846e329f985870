import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { afterEach, beforeEach, test } from 'node:test';
import { acquireLock } from '../home/lock.ts';
import { oneIn } from '../testing/depth.ts';
import { fixture, Program } from '../testing/program.ts';
import { systemProcesses } from './session/process-table.ts';

const sample = oneIn(8);

let program: Program;
beforeEach(() => {
  program = new Program();
});
afterEach(() => program.dispose());

test('--version and --help answer and succeed', { skip: sample() }, () => {
  assert.match(program.succeeds('--version').stdout, /^\d+\.\d+\.\d+\n$/);
  assert.match(program.succeeds('--help').stdout, /^ {2}peers add local /m);
  assert.equal(program.succeeds().stdout, program.succeeds('help').stdout);
  assert.match(program.succeeds('peers', '--help').stdout, /^Usage: shardctl peers COMMAND/);
  assert.match(program.succeeds('add', '--help').stdout, /--shard-size SIZE/);
});

test('a command line that is wrong ends with 2, one line and where to find help', { skip: sample() }, () => {
  mkdirSync(program.path('mirror'));
  program.fails(2, /unknown option --colour; try `shardctl add --help`/, 'add', '--colour', 'mirror');
  program.fails(2, /no command given/, '-q');
  program.fails(2, /unknown command "updaet"; did you mean update\?/, 'updaet');
  program.fails(2, /--shard-size "big" is not a size/, 'add', 'mirror', '--shard-size', 'big');
  program.fails(2, /--replication "3:2"/, 'add', 'mirror', '--replication', '3:2');
  program.fails(2, /unknown CID profile "v9"/, 'add', 'mirror', '--cid-profile', 'v9');
  program.fails(2, /bad chunker "size-0"/, 'add', 'mirror', '--chunker', 'size-0');
  program.fails(2, /--lock-wait soon/, 'add', 'mirror', '--lock-wait', 'soon');
  program.fails(2, /"a@b" cannot be the name of a repository/, 'add', 'mirror', '--name', 'a@b');
  program.fails(2, /cannot read the patterns in none: ENOENT/, 'add', 'mirror', '--exclude-from', 'none');
  program.fails(2, /--tag "zone" is not KEY=VALUE/, 'peers', 'add', 'local', 'p', '--tag', 'zone');
  assert.deepEqual(readdirSync(program.dir), ['mirror'], 'and nothing was made');
});

test('a mistake makes no home', { skip: sample() }, () => {
  program.fails(40, /none/, 'add', 'none');
  program.fails(40, /no shardctl home at .*home; run `shardctl add DIR` first/, 'status');
  assert.deepEqual(readdirSync(program.dir), []);
});

test('a source that is no directory is refused', { skip: sample() }, () => {
  writeFileSync(program.path('file'), '');
  program.fails(2, /file/, 'add', 'file');
});

test('a home or a peer inside the source is refused, also through a symlink', { skip: sample() }, () => {
  mkdirSync(program.path('mirror/deep'), { recursive: true });
  symlinkSync('mirror/deep', program.path('link'));
  program.fails(2, /the home \(.*\) is inside the directory to add/, 'add', 'mirror', '--home', 'mirror/home');
  program.fails(2, /the home \(.*\) is inside/, 'add', 'mirror', '--home', 'link/home');
  program.fails(2, /the home \(.*\) is inside/, 'add', 'mirror', '--home', 'mirror');
  program.succeeds('peers', 'add', 'local', 'link/peer');
  program.fails(2, /peer "peer" \(.*\) is inside the directory to add/, 'add', 'mirror');
});

test("somebody else's directory is taken neither as a home nor as a peer", () => {
  mkdirSync(program.path('thesis'));
  writeFileSync(program.path('thesis/chapter1.tex'), '');
  mkdirSync(program.path('mirror'));
  program.fails(2, /not a shardctl home, and it is not empty/, 'add', 'mirror', '--home', 'thesis');
  program.fails(2, /not a peer, and it is not empty/, 'peers', 'add', 'local', 'thesis');
});

test('a home of a newer format is refused with 45', { skip: sample() }, () => {
  mkdirSync(program.home);
  writeFileSync(join(program.home, 'config.json'), '{"format": 2}');
  program.fails(45, /config\.json has format 2; this shardctl reads up to format 1/, 'add', fixture('npm'));
  program.fails(45, /format 2/, 'status');
});

test('a lost index is named, and made again by recover or by the next add', { skip: sample() }, () => {
  const { lines } = program.succeeds('add', fixture('npm'), '-Q');
  rmSync(join(program.home, 'index'), { recursive: true });
  program.fails(40, /has no index; run `shardctl recover --all`/, 'status');
  program.succeeds('recover', '--all');
  program.succeeds('verify');
  rmSync(join(program.home, 'index'), { recursive: true });
  assert.deepEqual(program.succeeds('add', fixture('npm'), '-Q').lines, lines);
});

test('a second run is refused with 41 and told who holds the home; reading goes on', { skip: sample() }, async () => {
  const source = fixture('npm');
  program.succeeds('add', source);
  const lock = await acquireLock(join(program.home, 'lock'), {
    command: 'shardctl add other',
    waitMs: 0,
    processes: systemProcesses(),
    now: Date.now,
  });
  program.fails(41, new RegExp(`locked by \`shardctl add other\`, pid ${process.pid}, since .*--lock-wait`), 'add', source);
  program.succeeds('status');
  lock.release();
  program.succeeds('add', source);
  assert.deepEqual(readdirSync(join(program.home, 'lock')), []);
});

test('--json ends with an exit line, also for a mistake', { skip: sample() }, () => {
  const { lines, stderr, code } = program.run('add', 'none', '--json');
  const exit = JSON.parse(lines.at(-1) ?? '') as { type: string; code: number; error: { code: string } };
  assert.deepEqual([exit.type, exit.code, exit.error.code, code, stderr], ['exit', 40, 'SOURCE_MISSING', 40, '']);
  assert.match(program.run('add', '--json', '--colour').stdout, /^\{"type":"exit","code":2,/);
});

test('the same directory is not two peers', { skip: sample() }, () => {
  program.succeeds('peers', 'add', 'local', 'disk');
  program.fails(2, /there is a peer "disk" already/, 'peers', 'add', 'local', 'disk');
  program.fails(2, /is peer "disk" already/, 'peers', 'add', 'local', 'disk', '--name', 'other');
});

test('a reader who has seen enough of a list is no error', { skip: sample() }, async () => {
  const source = program.path('mirror');
  mkdirSync(source);
  for (let n = 0; n < 2000; n++) writeFileSync(join(source, `${n}`.padEnd(200, 'x')), '');
  program.succeeds('add', source);
  const child = program.start('ls', 'mirror');
  let stderr = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  child.stdout?.once('data', () => child.stdout?.destroy());
  const [code] = await once(child, 'exit');
  assert.deepEqual([code, stderr], [0, '']);
});

test('an interrupted add says how to go on, leaves no lock, and the next one finishes', { skip: sample() }, async () => {
  const source = program.path('mirror');
  mkdirSync(source);
  for (let n = 0; n < 400; n += 1) writeFileSync(join(source, `file${n}`), Buffer.alloc(100_000, `${n} `));
  const child = program.start('add', source, '--shard-size', '1MiB', '-v');
  let stderr = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    if (stderr === '') child.kill('SIGINT');
    stderr += chunk.toString();
  });
  const [code] = await once(child, 'close');
  assert.match(stderr, /shardctl: interrupted; run the same command again: it goes on where it stopped\n$/);
  assert.equal(code, 130);
  assert.deepEqual(readdirSync(join(program.home, 'lock')), []);
  program.succeeds('add', source, '--shard-size', '1MiB');
  program.succeeds('verify', '--read-data');
});

test('with few files to open serve takes few connections, and says so', { skip: sample() }, async () => {
  mkdirSync(program.path('mirror'));
  program.succeeds('add', 'mirror', '-q');
  const child = program.startBy(
    (...command) => ['sh', '-c', 'ulimit -n 128 && exec "$@"', 'sh', ...command],
    'serve',
    '--listen',
    '127.0.0.1:0',
  );
  let said = '';
  for await (const text of (child.stderr as Readable).setEncoding('utf8')) {
    said += text;
    if (said.includes('serving on')) child.kill('SIGTERM');
  }
  assert.match(said, /^warning: no more than 32 connections at once, because this process may have only 128 files open; `ulimit -n 4096`/);
});

test('who may have too few files open is told so, and how to have more, while the program loads and while it runs', {
  skip: sample(),
}, () => {
  mkdirSync(program.path('mirror'));
  program.succeeds('add', 'mirror', '-q');
  for (const [limit, ...command] of [
    ['20', 'status'],
    ['24', 'verify'],
    ['32', 'fetch', '--help'],
    ...['32', '34', '36', '38', '40'].map((few) => [few, 'serve', '--listen', '127.0.0.1:0'] as const),
  ] as const) {
    const { status, stderr } = program.runIn(`ulimit -n ${limit}`, ...command);
    assert.match(stderr, /^shardctl: [^\n]*may have no more files open[^\n]*`ulimit -n 4096`[^\n]*\n$/, `${command[0]} with ${limit}`);
    assert.equal(status, 1);
  }
});
