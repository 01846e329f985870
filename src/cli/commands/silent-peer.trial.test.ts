/** What a peer that does not answer holds is out of reach, and not lost: every command says so, and ends with 42. */
import assert from 'node:assert/strict';
import { readdirSync, renameSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { oneIn } from '../../testing/depth.ts';
import { fixture, Program } from '../../testing/program.ts';

const sample = oneIn(6);

let program: Program;
before(() => {
  program = new Program();
  for (const name of ['a', 'b']) program.succeeds('peers', 'add', 'local', name);
  program.succeeds('add', fixture('debian'), '--shard-size', '8KiB', '--name', 'm');
  renameSync(program.path('a'), program.path('away'));
});
after(() => program.dispose());

interface Line {
  readonly type: string;
  readonly [field: string]: unknown;
}
const results = (code: number, ...argv: string[]) =>
  program
    .ends(code, ...argv, '--json')
    .stdout.trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
const result = (lines: readonly Line[], type: string) => lines.find((line) => line.type === type) as Line;

test('status counts it as away, and nothing as lost', { skip: sample() }, () => {
  const total = result(results(0, 'status'), 'replication');
  assert.equal(total.lost, 0);
  assert.ok((total.away as number) > 0);
  assert.match(program.succeeds('status').stdout, /on none that answers: bring these peers back$/m);
});

test('verify and repair end with 42 and name the peer; with damage besides they end with 44', { skip: sample() }, () => {
  assert.match(program.ends(42, 'verify').stdout, /looked at: no answer from 1 peer,/);
  const verified = result(results(42, 'verify'), 'verified');
  assert.deepEqual([verified.damaged, verified.away], [0, 1]);
  for (const argv of [['verify'], ['repair', '-n'], ['check', '-n']]) {
    const { stdout, stderr } = program.run(...argv);
    assert.match(stdout + stderr, /^no answer: peer a(, \d+ shards)?: /m, argv.join(' '));
    assert.doesNotMatch(stdout + stderr, /^damage: /m, argv.join(' '));
    assert.equal(result(results(42, ...argv), 'no-answer').peer, 'a');
  }
  for (const argv of [['repair', '-n'], ['repair']]) {
    const repaired = result(results(42, ...argv), 'repaired');
    assert.deepEqual([repaired.lost, repaired.tooFew], [[], repaired.away], argv.join(' '));
  }
  const shards = program.path('b', 'shards');
  const damaged = readdirSync(shards, { recursive: true })
    .map(String)
    .filter((name) => name.endsWith('.car'))[0] as string;
  renameSync(`${shards}/${damaged}`, program.path('kept.car'));
  assert.match(program.ends(44, 'verify').stdout, /looked at: damage: \d+, no answer from 1 peer,/);
  renameSync(program.path('kept.car'), `${shards}/${damaged}`);
});

test('no hint of check or of a drain names a command that would give up what no other peer has', { skip: sample() }, () => {
  for (const argv of [['check'], ['check', '-n'], ['peers', 'drain', 'a']]) {
    const { stderr } = program.ends(42, ...argv);
    assert.doesNotMatch(stderr, /(has not answered since|cannot be drained)[^\n]*--force/, argv.join(' '));
    assert.match(stderr, /`shardctl status --at-risk`/, argv.join(' '));
  }
});

test('get and update end with 42, and the command that lets the peer go for good works as it stands', { skip: sample() }, () => {
  program.ends(42, 'get', 'm', '-o', 'out');
  const { stderr } = program.ends(42, 'update', 'm');
  const [, advice = ''] = /if it is gone for good, `shardctl (peers rm [^`]*)`/.exec(stderr) ?? [];
  program.succeeds(...advice.split(' '));
  program.succeeds('update', 'm');
  program.succeeds('get', 'm', '-o', 'whole');
});
