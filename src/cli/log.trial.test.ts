/** `--log-file`: what a run tells, in a file, whatever it tells elsewhere. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, linkSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import process from 'node:process';
import { afterEach, beforeEach, test } from 'node:test';
import { oneIn, sampled } from '../testing/depth.ts';
import { assertDescribed } from '../testing/json-lines.ts';
import { Program } from '../testing/program.ts';

const sample = oneIn(8);

let program: Program;
beforeEach(() => {
  program = new Program();
  mkdirSync(program.path('m'));
  writeFileSync(program.path('m', 'a'), 'a');
});
afterEach(() => program.dispose());

const lines = () => readFileSync(program.path('log'), 'utf8').split('\n').slice(0, -1);

test('a run with -q, and one that fails, are in the log from the command to the exit code', { skip: sample() }, () => {
  const { stdout, stderr } = program.succeeds('add', 'm', '-q', '--log-file', 'log');
  assert.deepEqual([stdout, stderr], ['', '']);
  program.ends(40, 'update', 'other', '-q', '--log-file', 'log');
  const all = lines();
  for (const line of all) assert.match(line, /^\d{4}-\d\d-\d\dT[\d:.]+Z \[\d+\] ./);
  const texts = all.map((line) => line.replace(/^\S+ \[\d+\] /, ''));
  assert.match(texts[0] ?? '', /^shardctl add m, version \d/);
  assert.ok(texts.includes('m@1: committed'));
  const second = texts.slice(texts.indexOf('ends with 0') + 1);
  assert.match(second[0] ?? '', /^shardctl update other, version/);
  assert.match(second[1] ?? '', /no repository "other"/);
  assert.deepEqual(second.slice(2), ['ends with 40']);
});

test('what add prints is in the log, and the answers of other commands are not', { skip: sample() }, () => {
  const texts = (...argv: string[]) => {
    rmSync(program.path('log'), { force: true });
    const { stdout } = program.succeeds(...argv, '--log-file', 'log');
    const printed = stdout.split('\n').slice(0, -1);
    assert.ok(printed.length > 0);
    return { printed, logged: lines().map((line) => line.replace(/^\S+ \[\d+\] /, '')) };
  };
  for (const argv of [
    ['add', 'm', '-n', '-i'],
    ['add', 'm'],
  ]) {
    const { printed, logged } = texts(...argv);
    assert.deepEqual(logged.slice(1, -1), printed, argv.join(' '));
  }
  for (const argv of [['ls', 'm'], ['status']]) assert.equal(texts(...argv).logged.length, 2, argv.join(' '));
});

test('a command that a line of the log tells to run works on the home of the run', { skip: sample() }, () => {
  const named = ['--home', program.path('other home')];
  const { stderr } = program.run('update', '--log-file', 'log', ...named);
  const [command] = /`shardctl --home [^`]+`/.exec(stderr) ?? [];
  assert.ok(command !== undefined && lines().some((line) => line.includes(command)), stderr);
});

test('as JSON each line is one of docs/json.md with time and process in front; the environment may say so', { skip: sample() }, () => {
  const told = new Program({ SHARDCTL_HOME: program.home, SHARDCTL_LOG_FILE: program.path('log'), SHARDCTL_LOG_FORMAT: 'json' });
  told.succeeds('add', program.path('m'), '-q');
  told.dispose();
  const all = lines().map((line) => JSON.parse(line) as { time: string; pid: number; type: string });
  assertDescribed(all.map(({ time, pid, ...event }) => JSON.stringify(event)));
  for (const { time, pid } of all) assert.ok(new Date(time).toISOString() === time && pid > 1);
  const types = all.map(({ type }) => type);
  assert.deepEqual([types[0], types[1], ...types.slice(-2)], ['run', 'started', 'summary', 'exit']);
});

test('a full disk of the log is one warning, and the run does its work', { skip: !existsSync('/dev/full') }, () => {
  const { stderr } = program.succeeds('add', 'm', '-q', '--log-file', '/dev/full');
  assert.match(stderr, /^warning: cannot write the log \/dev\/full: [^\n]+\n$/);
  program.succeeds('verify');
});

test('what makes no sense is refused before anything is done', { skip: sample() }, () => {
  program.fails(2, /--log-file \S+: ENOENT/, 'add', 'm', '--log-file', 'no/log');
  symlinkSync('loop', program.path('loop'));
  program.fails(2, /--log-file \S+: ELOOP/, 'add', 'm', '--log-file', 'loop');
  program.fails(2, /--log-format goes with --log-file/, 'add', 'm', '--log-format', 'json');
  program.fails(2, /--log-format "xml" is not text or json/, 'add', 'm', '--log-file', 'log', '--log-format', 'xml');
  program.fails(2, /--log-file - is no file/, 'add', 'm', '--log-file', '-');
  assert.ok(!existsSync(program.home) && !existsSync(program.path('log')));
});

test('what shardctl keeps and what it imports is neither appended to nor replaced, by whatever name', { skip: sample() }, () => {
  program.succeeds('peers', 'add', 'local', 'p');
  program.succeeds('add', 'm', '-q');
  symlinkSync('home', program.path('link'));
  linkSync(program.path('home/config.json'), program.path('other-name'));
  mkdirSync(program.path('n'));
  const inHome = /that is in what the home keeps/;
  program.fails(2, inHome, 'update', 'm', '--metrics-file', 'home/config.json');
  for (const option of sampled(['--log-file'], ['--log-file', '--metrics-file'])) {
    program.fails(2, inHome, 'update', 'm', option, 'home/config.json');
    program.fails(2, inHome, 'update', 'm', option, 'link/heads/m');
    program.fails(2, inHome, 'update', 'm', option, 'other-name');
    program.fails(2, /that is in peer "p"/, 'update', 'm', option, 'p/new');
    program.fails(2, /that is in the source of m/, 'update', 'm', option, 'm/a');
    program.fails(2, /that is in the directory to add/, 'add', 'n', option, 'n/new');
  }
  program.fails(2, /--access-log \S+: that is in peer "p"/, 'serve', '--access-log', 'p/peer.json');
  const told = new Program({ SHARDCTL_HOME: program.home, SHARDCTL_LOG_FILE: program.path('p/peer.json') });
  told.fails(2, /SHARDCTL_LOG_FILE \S+: that is in peer "p"/, 'verify');
  told.dispose();
  assert.equal(readFileSync(program.path('m/a'), 'utf8'), 'a');
  assert.ok(!existsSync(program.path('n/new')) && !existsSync(program.path('p/new')));
  // Beside what is kept there.
  program.succeeds('update', 'm', '-q', '--log-file', 'home/log', '--metrics-file', 'home/m.prom');
  program.succeeds('verify', '--read-data', '-q');
});

test('no line is written over a disk', { skip: noDisk() }, () => {
  const disk = program.path('disk');
  // Of no driver: a mistake of this test writes nowhere.
  execFileSync('mknod', [disk, 'b', '240', '255']);
  program.fails(2, /--log-file \S+: that is a disk/, 'status', '--log-file', 'disk');
});

function noDisk(): string | false {
  return process.getuid?.() === 0 ? false : 'only root makes the node of a disk';
}
