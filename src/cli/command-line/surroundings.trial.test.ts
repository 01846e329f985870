/** Arguments and surroundings as scripts, containers and cron give them: a path is the one that was meant, or it is refused in words. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { oneIn } from '../../testing/depth.ts';
import { type Finished, Program } from '../../testing/program.ts';
import { parseCommandLine } from './args.ts';
import { OPTIONS, type OptionSpec } from './options.ts';
import { COMMANDS } from './spec.ts';

const sample = oneIn(6);

const BIN = fileURLToPath(new URL('../../../../bin/shardctl.js', import.meta.url));
const UNKNOWN_USER = ['--reuid=54321', '--regid=54321', '--clear-groups'];

let program: Program;
beforeEach(() => {
  program = new Program();
  mkdirSync(program.path('m'));
  writeFileSync(program.path('m', 'a'), 'a');
});
afterEach(() => program.dispose());

/** @param script in which $S is the program; it begins in the directory of the test */
function shell(script: string, env: NodeJS.ProcessEnv = {}): Finished {
  const { status, stdout, stderr } = spawnSync('bash', ['-c', script], {
    cwd: program.dir,
    env: { ...process.env, SHARDCTL_HOME: program.home, S: `${process.execPath} ${BIN}`, ...env },
    encoding: 'utf8',
  });
  return { code: status, stdout, stderr, lines: stdout.split('\n').slice(0, -1) };
}

function refused(finished: Finished, line: RegExp): void {
  assert.equal(finished.code, 2, finished.stderr);
  assert.match(finished.stderr, line);
  assert.match(finished.stderr, /^shardctl: [^\n]+\n$/);
}

test('an empty argument is refused by every command, wherever it stands', { skip: sample() }, () => {
  for (const command of COMMANDS) {
    const words = command.words.split(' ');
    const count = command.arguments.length;
    for (let empty = 0; empty < count; empty += 1) {
      const positionals = Array.from({ length: count }, (_, at) => (at === empty ? '' : 'x'));
      assert.throws(() => parseCommandLine([...words, ...positionals]), { code: 'USAGE', message: /is empty/ }, command.words);
    }
    for (const option of command.options) {
      const { value, isValueOptional } = OPTIONS[option] as OptionSpec;
      if (value === undefined || isValueOptional === true) continue;
      const given = [...words, ...command.arguments.map(() => 'x')];
      assert.throws(() => parseCommandLine([...given, `--${option}=`]), { code: 'USAGE', message: `--${option} is empty` }, command.words);
      assert.throws(
        () => parseCommandLine([...given, `--${option}`, '']),
        { code: 'USAGE', message: `--${option} is empty` },
        command.words,
      );
    }
  }
  refused(shell('$S add ""'), /DIR is empty/);
  refused(shell('$S --home "" status'), /--home is empty/);
  assert.deepEqual(readdirSync(program.dir), ['m']);
});

test('a user without a home directory names the home, and is told to', { skip: sample() }, () => {
  program.succeeds('add', 'm');
  const env = { HOME: '', SHARDCTL_HOME: '' };
  refused(shell('$S status', env), /HOME is not set.*--home or SHARDCTL_HOME/);
  assert.equal(shell('$S --home home status', env).code, 0);
  assert.equal(shell('SHARDCTL_HOME=home $S status', env).code, 0);
  assert.equal(existsSync(program.path('.shardctl')), false);
});

test('a user who is in no list of users is no bug', { skip: sample() }, (t) => {
  if (process.getuid?.() !== 0 || spawnSync('setpriv', ['--version']).status !== 0) return t.skip('needs root and setpriv');
  const found = spawnSync('setpriv', [...UNKNOWN_USER, 'env', '-u', 'HOME', '-u', 'SHARDCTL_HOME', process.execPath, BIN, 'status'], {
    cwd: '/',
    encoding: 'utf8',
  });
  if (/Cannot find module|EACCES/.test(found.stderr)) return t.skip('the program cannot be read by another user');
  assert.equal(found.status, 2, found.stderr);
  assert.match(found.stderr, /HOME is not set.*--home or SHARDCTL_HOME/);
});

test('from a directory that is gone absolute paths work, and relative ones are refused', { skip: sample() }, () => {
  const gone = 'mkdir x && cd x && rmdir ../x &&';
  const m = program.path('m');
  for (const command of [
    `add ${m}`,
    'update -n',
    'update',
    `get m -o ${program.path('out')}`,
    'verify',
    'status',
    `export m --car ${program.path('c')}`,
  ])
    assert.equal(shell(`${gone} $S ${command}`).code, 0, command);
  refused(shell(`${gone} $S get m -o out2`), /current directory is gone/);
  refused(shell(`${gone} $S --home h status`), /current directory is gone/);
  refused(shell(`${gone} $S add .`), /current directory is gone/);
});

test('what is not UTF-8 is refused, wherever it comes from, and a replacement character is a name like any other', {
  skip: sample(),
}, (t) => {
  if (process.platform !== 'linux') return t.skip('only Linux says what the bytes were');
  program.succeeds('add', 'm');
  for (const script of [
    "$S get m -o $'o\\xdf'",
    "$S --home $'h\\xdf' add m",
    "$S add $'m\\xdf\\xef\\xbf\\xbd'",
    "SHARDCTL_HOME=$'h\\xdf' $S status",
    "HOME=$'/h\\xdf' SHARDCTL_HOME= $S status",
    "mkdir $'d\\xdf'; cd $'d\\xdf'; $S get m -o out",
  ])
    refused(shell(script), /is not UTF-8/);
  assert.deepEqual(readdirSync(program.dir, 'buffer').map(String).sort(), ['d\uFFFD', 'home', 'm']);
  mkdirSync(program.path('\uFFFD'));
  assert.equal(shell('cd \uFFFD && $S get m -o \uFFFDout').code, 0);
  assert.deepEqual(readdirSync(program.path('\uFFFD')), ['\uFFFDout']);
  assert.equal(shell("SHARDCTL_HOME=$'h\\xdf' $S --home home status").code, 0);
});

test('results that could not be written are no success', { skip: sample() }, (t) => {
  if (!existsSync('/dev/full')) return t.skip('there is no /dev/full');
  program.succeeds('add', 'm');
  for (const command of ['status', 'ls m', 'cat m/a', 'snapshots --json', 'export m --car -', '--version', '--help', 'help add --help']) {
    const { code, stderr } = shell(`$S ${command} > /dev/full`);
    assert.notEqual(code, 0, command);
    assert.match(stderr, /shardctl: /, command);
  }
});

test('a run needs neither stdin, stdout and stderr nor TMPDIR', { skip: sample() }, () => {
  assert.equal(shell('$S add m <&- >&- 2>&-', { TMPDIR: '/nowhere' }).code, 0);
  assert.equal(shell('$S get m -o out <&- >&- 2>&-', { TMPDIR: '/nowhere' }).code, 0);
  assert.equal(shell('$S verify --read-data <&- 2>&-', { TMPDIR: '/nowhere' }).code, 0);
  assert.deepEqual(readdirSync(program.path('out')), ['a']);
});

test('a directory that cannot be made, because the one above it says that it is not there, is refused at once', { skip: sample() }, (t) => {
  if (process.platform !== 'linux') return t.skip('/proc is such a directory on Linux');
  program.succeeds('add', 'm');
  const made = [`add m --home /proc/none/home`, `get m -o /proc/none/out`, `peers add local /proc/none/peer`];
  for (const command of made) {
    const { code, stderr } = shell(`timeout -k 1 20 $S ${command}`);
    assert.notEqual(code, 137, `${command} goes on for ever`);
    assert.match(stderr, /^shardctl: .*\/proc\/none/, command);
  }
});
