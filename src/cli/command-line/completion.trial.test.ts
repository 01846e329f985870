import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { without } from '../../testing/package-tools/required.ts';
import { Program } from '../../testing/program.ts';
import { COMMON } from './command-spec.ts';
import { completionsOf, homeIn } from './completion.ts';
import { OPTIONS } from './options.ts';
import { SETTING_NAMES } from './settings-table.ts';
import { COMMANDS } from './spec.ts';

const BIN = fileURLToPath(new URL('../../../../bin/shardctl.js', import.meta.url));
const NAMES = {
  repositories: () => ['debian', 'the npm'],
  snapshots: async (name: string) => (name === 'debian' ? ['7', '2026-11-25'] : []),
  peers: () => ['disk1', 'attic'],
};

const program = new Program();
before(() => {
  mkdirSync(program.path('bin'));
  symlinkSync(BIN, program.path('bin', 'shardctl'));
  for (const name of ['debian', 'the npm']) {
    mkdirSync(program.path(name));
    writeFileSync(program.path(name, 'file'), name);
    program.succeeds('add', name, '-q');
  }
});
after(() => program.dispose());

test('the words of every command are completed, one after the other', async () => {
  for (const { words } of COMMANDS) {
    const before: string[] = [];
    for (const word of words.split(' ')) {
      assert.ok((await completionsOf([...before, ''], NAMES)).includes(word), `${words}: ${word}`);
      before.push(word);
    }
  }
  assert.deepEqual(await completionsOf(['--home', '/h', 'peers', 'add', ''], NAMES), ['local', 'cluster', 'kubo']);
  assert.deepEqual(await completionsOf(['help', 'peers', 'add', ''], NAMES), ['local', 'cluster', 'kubo']);
  assert.deepEqual(await completionsOf(['frobnicate', ''], NAMES), []);
});

test('a command is completed with its own options and the common ones, and with no others', async () => {
  for (const { words, options } of COMMANDS) {
    const found = await completionsOf([...words.split(' '), '--'], NAMES);
    assert.deepEqual(found.toSorted(), [...options, ...COMMON].map((name) => `--${name}`).sort(), words);
  }
});

test('repositories and peers are completed where the command takes one', async () => {
  const cases: readonly (readonly [string, readonly string[]])[] = [
    ['update', NAMES.repositories()],
    ['update debian', NAMES.repositories()],
    ['get', NAMES.repositories()],
    ['get debian', NAMES.repositories()],
    ['ls debian', []],
    ['rename', NAMES.repositories()],
    ['rename debian', []],
    ['peers drain', NAMES.peers()],
    ['peers drain -n', NAMES.peers()],
    ['publish debian --peer', NAMES.peers()],
    ['config --repository', NAMES.repositories()],
    ['config', ['ls', 'get', 'set', 'unset', ...SETTING_NAMES]],
    ['config set', SETTING_NAMES],
    ['add', []],
    ['get debian -o', []],
    ['completion', ['bash', 'zsh', 'fish']],
    ['help add', []],
  ];
  for (const [typed, expected] of cases) assert.deepEqual(await completionsOf([...typed.split(' '), ''], NAMES), expected, typed);
});

test('a snapshot is completed by its number and its day, where the command takes a reference', async () => {
  assert.deepEqual(await completionsOf(['ls', 'debian@'], NAMES), ['debian@7', 'debian@2026-11-25']);
  assert.deepEqual(await completionsOf(['diff', 'debian', 'debian@2'], NAMES), ['debian@7', 'debian@2026-11-25']);
  assert.deepEqual(await completionsOf(['ls', 'fedora@'], NAMES), []);
  assert.deepEqual(await completionsOf(['ls', 'debian@7/p'], NAMES), NAMES.repositories());
  assert.deepEqual(await completionsOf(['update', 'debian@'], NAMES), NAMES.repositories());
  const [number, day] = program.succeeds('--get-yargs-completions', 'shardctl', 'ls', 'debian@').lines;
  assert.deepEqual([number, /^debian@\d{4}-\d\d-\d\d$/.test(day ?? '')], ['debian@1', true]);
});

test('the home is the one that the words name', () => {
  assert.equal(homeIn(['--home', '/a', 'update', '']), '/a');
  assert.equal(homeIn(['update', '--home=/b', '']), '/b');
  assert.equal(homeIn(['update', '']), undefined);
});

/** What bash offers after its script was read, as it would at TAB. */
function inBash(...words: string[]): string[] {
  const script = `
    eval "$(shardctl completion bash)"
    COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
    _shardctl_yargs_completions
    printf '%s\\n' "\${COMPREPLY[@]}"`;
  return inShell('zsh', 'bash', '-c', script, 'bash', 'shardctl', ...words);
}

/** What zsh is given to offer, with the descriptions. */
function inZsh(...words: string[]): string[] {
  const script = `
    compdef() { [[ $1 == _shardctl_yargs_completions && $2 == shardctl ]] || exit 1 }
    _describe() { print -rl -- $reply }
    _default() { print FILES }
    eval "$(shardctl completion zsh)"
    words=("$@"); CURRENT=$#
    _shardctl_yargs_completions`;
  return inShell('bash', 'zsh', '-f', '-c', script, 'zsh', 'shardctl', ...words);
}

/** What fish offers. @param line with all that is typed */
function inFish(line: string): string[] {
  return inShell('bash', 'fish', '--no-config', '-c', 'shardctl completion fish | source; complete -C $argv[1]', line);
}

/** @param login the shell of the login, another one than the one that asks */
function inShell(login: string, ...[command = '', ...args]: readonly string[]): string[] {
  const { stdout, stderr } = spawnSync(command, args, {
    cwd: program.dir,
    env: {
      ...process.env,
      PATH: `${program.path('bin')}:${process.env.PATH}`,
      HOME: program.dir,
      SHARDCTL_HOME: program.home,
      SHELL: `/bin/${login}`,
    },
    encoding: 'utf8',
  });
  assert.equal(stderr, '');
  return stdout.split('\n').filter((line) => line !== '');
}

test('bash completes commands, options and the names of the home', (t) => {
  if (spawnSync('bash', ['-c', 'mapfile -t x < <(echo)']).status !== 0) return t.skip('needs bash 4 or later');
  assert.deepEqual(inBash('pu'), ['publish']);
  assert.deepEqual(inBash('update', '--met'), ['--metrics-file']);
  assert.deepEqual(inBash('ls', 'deb'), ['debian']);
  assert.deepEqual(inBash('peers', 'rm', ''), ['local']);
  assert.deepEqual(inBash('--home', 'nowhere', 'ls', ''), []);
});

test('zsh completes commands, options and the names of the home, and else files', { skip: without('zsh', 'zsh') }, () => {
  assert.ok(inZsh('peers', '').includes('ls:list the peers and their space'));
  assert.ok(inZsh('ls', '-').includes(`--long:${OPTIONS.long.help}`));
  assert.deepEqual(inZsh('ls', 'deb').toSorted(), ['debian', 'the npm']);
  assert.deepEqual(inZsh('add', ''), ['FILES']);
});

test('fish completes commands, options and the names of the home, and else files', { skip: without('fish', 'fish') }, () => {
  assert.deepEqual(inFish('shardctl pu'), [
    'publish\tpoint the IPNS name of a repository at its newest tree, or back at an older one, through a Kubo daemon',
  ]);
  assert.ok(inFish('shardctl peers ').includes('ls\tlist the peers and their space'));
  assert.deepEqual(inFish('shardctl ls --lon'), [`--long\t${OPTIONS.long.help}`]);
  assert.deepEqual(inFish('shardctl ls deb'), ['debian']);
  assert.deepEqual(inFish('shardctl add bi'), ['bin/']);
});

test('zsh is given what each word means', () => {
  const ask = ['--get-yargs-completions', 'shardctl'];
  const zsh = new Program({ SHELL: 'zsh' });
  try {
    const { lines } = zsh.succeeds(...ask, 'peers', '');
    assert.ok(lines.includes('ls:list the peers and their space'), lines.join('\n'));
    assert.ok(lines.includes('add:local, cluster, kubo'), lines.join('\n'));
    assert.ok(zsh.succeeds(...ask, 'ls', '-').lines.includes(`--long:${OPTIONS.long.help}`));
    assert.match(zsh.succeeds('completion').stdout, /^#compdef shardctl\n/);
  } finally {
    zsh.dispose();
  }
});

test('a script is written for the shell that is named, and an unknown one is refused', () => {
  assert.match(program.succeeds('completion', 'zsh').stdout, /^#compdef shardctl\n/);
  assert.match(program.succeeds('completion', 'bash').stdout, /\ncomplete .* shardctl\n/);
  assert.match(program.succeeds('completion', 'fish').stdout, /\ncomplete -c shardctl /);
  program.fails(2, /no completion for "tcsh"/, 'completion', 'tcsh');
  assert.match(program.ends(2, 'completion', '--json').stdout, /--json cannot be combined/);
});
