/** What a person sees on a terminal of 80 columns, with more peers than fit on it. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { after, before, test } from 'node:test';
import { onlyInAll } from '../testing/depth.ts';
import { without } from '../testing/package-tools/required.ts';
import { BIN, fixture, Program } from '../testing/program.ts';

const PEERS = 12;
const ESCAPE = String.fromCharCode(27);
const skip = onlyInAll(process.platform === 'linux' ? without('script', 'script') : 'needs the script(1) of util-linux');

const program = new Program();
before(() => {
  if (skip !== false) return;
  for (let at = 1; at <= PEERS; at++) program.succeeds('peers', 'add', 'local', `disk${at}`, '-q');
});
after(() => program.dispose());

function onTerminal(term: string, ...argv: string[]): string {
  const env = { ...process.env, SHARDCTL_HOME: program.home, TERM: term };
  const command = `stty cols 80 rows 24; ${[process.execPath, BIN, ...argv].join(' ')}`;
  const { stdout, status } = spawnSync('script', ['-qec', command, '/dev/null'], { cwd: program.dir, env, encoding: 'utf8' });
  assert.equal(status, 0, stdout);
  return stdout.replaceAll('\r', '');
}

test('a run on more than ten peers says nothing with -q, and Node nothing of its own', { skip }, () => {
  const { stdout, stderr } = program.succeeds('add', fixture('npm'), '--replication', '-1', '-q');
  assert.equal(stdout + stderr, '');
});

test('lines fit 80 columns, and peers are folded; with --wide, and in a pipe, all is there', { skip }, () => {
  program.succeeds('add', fixture('npm'), '--replication', '-1', '-q');
  for (const words of [
    ['status'],
    ['status', '--shards'],
    ['peers', 'ls'],
    ['snapshots'],
    ['stats'],
    ['config'],
    ['help'],
    ['ls', '-lR', 'npm'],
    ['verify'],
  ]) {
    const long = onTerminal('xterm', ...words)
      .split('\n')
      .filter((line) => line.length > 80);
    assert.deepEqual(long, [], words.join(' '));
  }
  assert.match(onTerminal('xterm', 'status'), /^\+4 more peers; --wide shows all$/m);
  const disks = (text: string) => text.match(/^disk\d+ /gm)?.length;
  assert.deepEqual([disks(onTerminal('xterm', 'status', '--wide')), disks(program.succeeds('status').stdout)], [PEERS, PEERS]);
  const { cid } = program.head('npm');
  for (const text of [onTerminal('xterm', 'snapshots', '--wide'), program.succeeds('snapshots').stdout]) assert.ok(text.includes(cid));
});

test('a terminal that is dumb is not steered', { skip }, () => {
  assert.ok(onTerminal('xterm', 'update', 'npm', '--checksum').includes(ESCAPE));
  assert.ok(!onTerminal('dumb', 'update', 'npm', '--checksum').includes(ESCAPE));
});
