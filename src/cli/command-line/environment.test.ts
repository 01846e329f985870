import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type Args, parseCommandLine } from './args.ts';
import { namingVariables, variableOf, WITHOUT_VARIABLE, withoutOptions } from './environment.ts';
import { OPTIONS, type OptionName } from './options.ts';
import { COMMANDS } from './spec.ts';

const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));
const NAMES = Object.keys(OPTIONS) as OptionName[];

function parse(environment: Readonly<Record<string, string>>, ...argv: string[]): Args {
  const parsed = parseCommandLine(argv, (name) => environment[name] || undefined);
  assert.equal(parsed.kind, 'run');
  return (parsed as { args: Args }).args;
}

test('a variable stands for the option of its name, in each command that has it, unless the command line says it', () => {
  for (const { words, arguments: all, options } of COMMANDS) {
    const argv = [...words.split(' '), ...all.filter((it) => !it.startsWith('[')).map(() => 'x')];
    if (['help', 'version'].includes(words) || /^(?:config|peers (?:add|set))/.test(words)) continue;
    for (const name of options) {
      const variable = variableOf(name);
      if (variable === undefined) continue;
      const isSwitch = !('value' in OPTIONS[name]);
      const args = parse({ [variable]: isSwitch ? 'true' : 'one' }, ...argv);
      assert.equal(args.text(name), isSwitch ? undefined : 'one', `${words} ${variable}`);
      assert.ok(args.flag(name) && !args.isTyped(name));
      const typed = parse({ [variable]: isSwitch ? '0' : 'one' }, ...argv, ...(isSwitch ? [`--${name}`] : [`--${name}=two`]));
      assert.deepEqual([typed.all(name).length, typed.text(name)], [1, isSwitch ? undefined : 'two'], `${words} ${variable}`);
      assert.ok(typed.isTyped(name));
    }
  }
});

test('a variable of an option that may be repeated has one value a line, and no other separator', () => {
  const via = 'http://a.example:8080\n\nhttp://b.example/x,y z\n';
  const values = (args: Args) => args.all('via').map(({ value }) => value);
  assert.deepEqual(values(parse({ SHARDCTL_VIA: via }, 'fetch', 'x', 'out')), ['http://a.example:8080', 'http://b.example/x,y z']);
  assert.deepEqual(values(parse({ SHARDCTL_VIA: via }, 'fetch', 'x', 'out', '--via', 'http://c')), ['http://c']);
  assert.equal(parse({ SHARDCTL_MAX_DELETE: '5\n6' }, 'update').text('max-delete'), '5\n6');
});

test('a switch is 1, 0, true or false; all else is refused by the name of the variable', () => {
  for (const value of ['1', 'true']) assert.ok(parse({ SHARDCTL_QUIET: value }, 'status').flag('quiet'));
  for (const value of ['0', 'false', '']) assert.ok(!parse({ SHARDCTL_QUIET: value }, 'status').flag('quiet'));
  for (const value of ['yes', 'TRUE', '2'])
    assert.throws(() => parse({ SHARDCTL_QUIET: value }, 'status'), { code: 'USAGE', message: /^SHARDCTL_QUIET "/ });
});

test('a variable of an option that the command does not have, and one of no option, are passed over', () => {
  const args = parse({ SHARDCTL_MAX_DELETE: 'x', SHARDCTL_NONSENSE: '1', SHARDCTL_TEST_DEPTH: 'all' }, 'status');
  assert.deepEqual(args.fromVariables, []);
});

test('what is written into settings comes from the command line alone', () => {
  const environment = { SHARDCTL_REPLICATION: '2', SHARDCTL_LOCK_WAIT: '5', SHARDCTL_QUIET: '1' };
  for (const argv of [
    ['peers', 'add', 'cluster', 'http://127.0.0.1:9094'],
    ['peers', 'set', 'x'],
    ['config', 'replication', '2'],
  ]) {
    const args = parse(environment, ...argv);
    assert.deepEqual(args.fromVariables.map(({ name }) => name).sort(), ['lock-wait', 'quiet']);
  }
});

test('a mistake is told by the name that somebody has written', () => {
  const { fromVariables } = parse({ SHARDCTL_MAX_DELETE: 'x' }, 'update');
  const mistake = (message: string) =>
    Object.assign(
      catching(() => parseCommandLine(['nonsense'])),
      { message },
    );
  const told = (message: string) => (namingVariables(mistake(message), fromVariables) as Error).message;
  assert.equal(told('--max-delete "x" is not a number'), 'SHARDCTL_MAX_DELETE "x" is not a number');
  assert.equal(told('--max-delete-more, --max-deleted'), '--max-delete-more, --max-deleted');
});

test('no variable of an option means something else to the program, its hooks or its tests', () => {
  const variables = new Set(NAMES.map(variableOf));
  for (const entry of readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })) {
    if (!entry.endsWith('.ts') || entry.endsWith('.test.ts') || /command-line\/(?:environment|help)\.ts$/.test(entry)) continue;
    for (const [word] of readFileSync(join(ROOT, 'src', entry), 'utf8').matchAll(/SHARDCTL_[A-Z_]+/g))
      assert.ok(!variables.has(word), `${entry}: ${word}`);
  }
  // SHARDCTL_TOKEN_NAME is the token of the peer "name".
  assert.ok(!NAMES.some((name) => /^SHARDCTL_(?:TOKEN|PASSWORD)/.test(variableOf(name) ?? '')));
});

test('a run that another one starts inherits no option by accident', () => {
  assert.deepEqual(withoutOptions({ PATH: '/bin', SHARDCTL_HOME: '/h', SHARDCTL_CHECKSUM: '1', SHARDCTL_TOKEN_A: 't' }), {
    PATH: '/bin',
    SHARDCTL_HOME: '/h',
    SHARDCTL_TOKEN_A: 't',
  });
});

/** Each of them may be said once for all runs of a machine, by somebody who does not think of the one that begins now. */
const WITH_VARIABLE: readonly OptionName[] = [
  ...(['quiet', 'verbose', 'wide', 'no-progress', 'log-file', 'log-format', 'metrics-file', 'lock-wait'] as const),
  ...(['no-metadata', 'cid-profile', 'chunker', 'copy-links', 'shard-size', 'replication', 'allocate-by'] as const),
  ...(['transfers', 'bwlimit', 'max-delete', 'ignore-ctime', 'ignore-inode', 'checksum', 'repair', 'grace'] as const),
  ...(['settle', 'max-wait', 'sync-lock', 'every', 'once', 'on-commit', 'on-problem', 'hook-timeout'] as const),
  ...(['gate', 'gate-action', 'gate-keyring', 'publish', 'lifetime', 'verify', 'max-unused', 'max-repack'] as const),
  ...(['announce', 'tls-cert', 'tls-key', 'workers', 'access-log', 'access-log-format'] as const),
  ...(['via', 'router', 'max-bytes'] as const),
];

test('whether an option has a variable is decided for each', () => {
  const without = WITHOUT_VARIABLE.flatMap(({ options }) => options);
  assert.deepEqual([...WITH_VARIABLE, 'home', ...without].sort(), NAMES.toSorted());
  assert.deepEqual(NAMES.filter((name) => variableOf(name) !== undefined).sort(), WITH_VARIABLE.toSorted());
});

test('docs/config.md has every option without a variable, by why', () => {
  const page = readFileSync(join(ROOT, 'docs/config.md'), 'utf8');
  const entries = [...page.matchAll(/^- ([a-z][^:`]+):((?:\s+`--[\w-]+`,?)+)\.$/gm)];
  const told = Object.fromEntries(
    entries.map(([, why = '', options = '']) => [why.replaceAll(/\s+/g, ' '), options.match(/(?<=--)[\w-]+/g)]),
  );
  assert.deepEqual(told, Object.fromEntries(WITHOUT_VARIABLE.map(({ why, options }) => [why, options])));
});

function catching(work: () => unknown): Error {
  try {
    work();
  } catch (error) {
    return error as Error;
  }
  throw new Error('nothing was thrown');
}
