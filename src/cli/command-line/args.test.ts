import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Args, parseCommandLine } from './args.ts';
import { COMMON } from './command-spec.ts';
import { OPTIONS } from './options.ts';
import { COMMANDS } from './spec.ts';

function parse(...argv: string[]): Args {
  const parsed = parseCommandLine(argv);
  assert.equal(parsed.kind, 'run');
  return (parsed as { args: Args }).args;
}

function refuses(argv: string[], message: RegExp, hint: RegExp = /^try `shardctl .*--help`$/): void {
  assert.throws(() => parseCommandLine(argv), { code: 'USAGE', exitCode: 2, message, hint }, argv.join(' '));
}

test('options may stand before the command, between and after its arguments', () => {
  for (const argv of [
    ['--home', '/h', 'add', 'dir', '-q'],
    ['-q', 'add', '--home=/h', 'dir'],
    ['add', 'dir', '--quiet', '--home', '/h'],
  ]) {
    const args = parse(...argv);
    assert.equal(args.command.words, 'add');
    assert.deepEqual(args.positionals, ['dir']);
    assert.equal(args.text('home'), '/h');
    assert.ok(args.flag('quiet'));
    assert.ok(!args.flag('json'));
  }
});

test('names that look like numbers stay as they are', () => {
  assert.equal(parse('add', 'd', '--name', '007').text('name'), '007');
  assert.deepEqual(parse('ls', '1e3').positionals, ['1e3']);
});

test('a rule that begins with its sign is the value of --exclude or --include', () => {
  const given = parse('add', 'd', '--exclude', '- *.tmp', '--include', '- a b', '--include', '+ c').all('exclude', 'include');
  assert.deepEqual(
    given.map(({ value }) => value),
    ['- *.tmp', '- a b', '+ c'],
  );
});

test('the order of --exclude, --include and --exclude-from is kept', () => {
  const args = parse('add', 'd', '--exclude', 'a', '--include=b', '--exclude-from', 'f', '--exclude', 'c');
  assert.deepEqual(
    args.all('exclude', 'include', 'exclude-from').map(({ name, value }) => `${name} ${value}`),
    ['exclude a', 'include b', 'exclude-from f', 'exclude c'],
  );
});

test('of an option given twice the last one counts', () => {
  assert.equal(parse('add', 'd', '--name', 'a', '--name', 'b').text('name'), 'b');
});

test('-1 is a replication factor, not an option', () => {
  assert.equal(parse('add', 'd', '--replication', '-1').text('replication'), '-1');
});

test('what follows -- is an argument', () => {
  assert.deepEqual(parse('add', '--', '-strange').positionals, ['-strange']);
});

test('a command of several words is found', () => {
  const args = parse('peers', 'add', 'local', '/mnt/a', '--tag', 'zone=a', '--tag', 'rack=1');
  assert.equal(args.command.words, 'peers add local');
  assert.deepEqual(args.positionals, ['/mnt/a']);
  assert.equal(args.all('tag').length, 2);
});

test('mistakes are named in one line, with the help to read', () => {
  refuses(['-q'], /no command given/, /^try `shardctl --help`$/);
  refuses(['frobnicate'], /unknown command "frobnicate"/);
  refuses(['peers'], /^`shardctl peers` needs one of: ls, add, set, drain, rm$/, /^try `shardctl peers --help`$/);
  refuses(['add'], /^DIR is missing$/, /shardctl add --help/);
  refuses(['add', 'a', 'b'], /^one argument too many: "b"$/);
  refuses(['add', 'a', '--colour'], /^unknown option --colour$/, /shardctl add --help/);
  refuses(['add', 'a', '-Z'], /^unknown option -Z$/);
  refuses(['ls', 'a', '--shard-size', '1'], /^unknown option --shard-size for `shardctl ls`$/);
  refuses(['add', 'a', '--name'], /^option --name <value> argument missing$/);
  refuses(['add', 'a', '--quiet=yes'], /^option -q, --quiet does not take an argument$/);
  refuses(['add', 'a', '--name', '--json'], /^option --name argument is ambiguous$/);
});

test('help and version are given wherever they are asked for', () => {
  const asked: readonly (readonly [string, string])[] = [
    ['', ''],
    ['--help', ''],
    ['help', ''],
    ['add --help', 'add'],
    ['help add', 'add'],
    ['peers ls -h', 'peers ls'],
    ['peers --help', 'peers'],
    ['help peers add', 'peers add'],
    ['help version', 'version'],
  ];
  for (const [typed, words] of asked)
    assert.deepEqual(parseCommandLine(typed.split(' ').filter((word) => word !== '')), { kind: 'help', words }, typed);
  for (const typed of ['add --version', '-V', 'version'])
    assert.deepEqual(parseCommandLine(typed.split(' ')), { kind: 'version', json: false }, typed);
  assert.deepEqual(parseCommandLine(['version', '--json']), { kind: 'version', json: true });
  assert.deepEqual(parseCommandLine(['version', '--help']), { kind: 'help', words: 'version' });
  refuses(['help', 'frobnicate'], /unknown command "frobnicate"/);
  refuses(['frobnicate', '--help'], /unknown command "frobnicate"/);
});

test('help and version are refused what they have no use for', () => {
  refuses(['help', 'add', 'add'], /^one argument too many: "add"$/);
  refuses(['help', 'peers', 'add', 'local', 'x'], /^one argument too many: "x"$/);
  refuses(['help', '--json'], /^`shardctl help` has no --json$/);
  refuses(['help', 'add', '--force'], /^`shardctl help` has no --force$/);
  refuses(['version', 'x'], /^one argument too many: "x"$/);
  refuses(['version', '--force'], /^unknown option --force for `shardctl version`$/);
});

test('who mistypes a command or an option is told what may have been meant', () => {
  refuses(['udpate'], /unknown command "udpate"/, /^did you mean update\? Else try `shardctl --help`$/);
  refuses(['peers', 'dran'], /needs one of/, /^did you mean peers drain\? Else try `shardctl peers --help`$/);
  refuses(['peers', 'add', 'cubo'], /^`shardctl peers add` needs one of: local, cluster, kubo$/, /^did you mean peers add kubo\?/);
  refuses(['add', 'd', '--exlude', 'x'], /^unknown option --exlude$/, /^did you mean --exclude\? Else try `shardctl add --help`$/);
  refuses(['ls', 'd', '--lnog'], /^unknown option --lnog$/, /^did you mean --long\?/);
  refuses(['ls', 'd', '--exlude', 'x'], /^unknown option --exlude$/, /^try `shardctl ls --help`$/);
});

test('no two options of a command have the same letter', () => {
  for (const { words, options } of COMMANDS) {
    const letters = [...COMMON, ...options].flatMap((name) => ('short' in OPTIONS[name] ? [OPTIONS[name].short] : []));
    assert.equal(new Set(letters).size, letters.length, words);
  }
});

test('what other runs are told of a run has no credentials', () => {
  assert.equal(
    parse('fetch', 'http://user:secret@host:8080/debian@7', '/srv/a@b').shown,
    'shardctl fetch http://host:8080/debian@7 /srv/a@b',
  );
  assert.equal(parse('get', 'debian@7/dists').shown, 'shardctl get debian@7/dists');
  const hook = 'curl -H "Authorization: Bearer secret" https://cdn/purge';
  assert.equal(parse('config', 'set', 'on-commit', hook, '--repository', 'debian').shown, 'shardctl config set on-commit');
  assert.equal(parse('config', 'on-problem', hook).shown, 'shardctl config on-problem');
  assert.equal(parse('add', '/srv/m', '--on-commit', hook).shown, 'shardctl add /srv/m');
});
