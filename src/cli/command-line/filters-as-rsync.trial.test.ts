/**
 * Filters against the rsync that is installed. `SHARDCTL_FILTER_RULESETS` says how many sets of rules are tried, and makes them
 * other ones each time; without it they are the same each time, so that what fails is what was changed.
 */
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { type ByteString, DIRECTORY } from '../../core/model.ts';
import { fsPath, joinBytes, toBytes } from '../../core/path-bytes.ts';
import { openSource } from '../../source/source.ts';
import { sampled } from '../../testing/depth.ts';
import { compileFilter } from '../../update/scan/filter.ts';
import { walk } from '../../update/scan/walk.ts';
import { readFilters } from './filter-rules.ts';

/** Names that the same patterns match in different ways. Those that end in a slash are directories, those in an arrow symlinks to one. */
const TREE: readonly ByteString[] = [
  ...['a/a', 'a/aa/a', 'a/aa/b', 'a/b/a/b', 'a/b/foo', 'a/foo/bar', 'a/ab', 'foo/bar/a', 'foo/bar/foo', 'foo/a', 'foo/foobar', 'foo/b/'],
  ...['foo/bar/bar/foo', 'b*/a', 'b*/*', 'b*/b', 'ba', 'bb/a*', 'bb/bar->', '**', '?', '[x]/a', '[x]/x', 'x', ']', '-', '[a', 'a]'],
  ...['A', 'aa', 'ab', '!a', '!', '- a', '+ a', ' ', '#c', ';c', 'a\\b', 'a\\', '\\', '7', 'a7', '\xc3\xa9', '\xe9/a', 'bar', 'foob->'],
];

function makeTree(root: ByteString): void {
  for (const path of TREE) {
    const at = `${root}/${path.replace(/->$/, '')}`;
    mkdirSync(fsPath(path.endsWith('/') ? at : dirname(at)), { recursive: true });
    if (path.endsWith('->')) symlinkSync('../foo', fsPath(at));
    else if (!path.endsWith('/')) writeFileSync(fsPath(at), '');
  }
}

/** Paths that the walk keeps. */
function kept(source: ByteString, rules: readonly ByteString[]): ByteString[] {
  const paths: ByteString[] = [];
  const { signal } = new AbortController();
  const opened = openSource(source, undefined);
  for (const step of walk(opened, { filter: compileFilter(rules), emit: () => {}, signal })) {
    if (step.kind !== 'enter') continue;
    const { directory } = step;
    for (const i of directory.live()) {
      const path = joinBytes(directory.path, directory.names[i] as ByteString);
      paths.push(directory.kinds[i] === DIRECTORY ? `${path}/` : path);
    }
  }
  opened.close();
  return paths.sort();
}

const run = promisify(execFile);

async function keptByRsync(source: ByteString, options: readonly string[]): Promise<ByteString[]> {
  const args = ['-rln8', '--out-format=%n', ...options, `${source}/`, `${source}.none/`];
  const { stdout } = await run('rsync', args, { encoding: 'latin1', env: { ...process.env, LC_ALL: 'C' } });
  const escaped = (line: string) => line.replace(/\\#(\d{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8)));
  const lines = stdout.split('\n').map(escaped);
  return lines.filter((line) => line !== './' && line !== '').sort();
}

const WILD = [
  '*',
  '*',
  '**',
  '***',
  '?',
  '[a-b]',
  '[!a]',
  '[^b]',
  '[]a]',
  '[a\\]]',
  '[x]',
  '[[:alpha:]]',
  '[![:punct:]]',
  '[[:digit:]\xe9]',
];
const ODD = [
  '[',
  '[!',
  '[[:alpha:',
  '[[:none:]]',
  '\\',
  '\\*',
  '\\a',
  '\\?',
  '\\[x]',
  '!',
  ' ',
  '#',
  ';',
  '-',
  '+',
  '**/',
  '/**',
  '[/]',
  '[b-',
];
const pieces = (...names: string[]) => fc.constantFrom('a', 'b', 'foo', 'bar', 'A', '7', ...names);
const made = fc
  .array(fc.oneof({ weight: 4, arbitrary: pieces('/', '/', ...WILD) }, pieces(...ODD)), { minLength: 1, maxLength: 6 })
  .map((parts) => parts.join(''));
/** A path of the tree, of which some parts are something else. */
const bent = fc
  .tuple(fc.constantFrom(...TREE), fc.array(fc.tuple(fc.nat(12), fc.nat(3), fc.constantFrom(...WILD)), { maxLength: 2 }))
  .map(([path, bends]) => bends.reduce((text, [at, length, by]) => text.slice(0, at) + by + text.slice(at + length), path));
const pattern = fc
  .tuple(fc.constantFrom('', '', '/', '**', '**/'), fc.oneof(made, bent), fc.constantFrom('', '', '', '/', '/***', '*', '**'))
  .map((parts) => parts.join(''));
const rule = fc
  .tuple(fc.constantFrom('', '', '', '- ', '+ '), fc.oneof({ weight: 20, arbitrary: pattern }, fc.constant('!')))
  .map((parts) => parts.join(''))
  .filter((text) => isTaken(text));

function isTaken(text: string): boolean {
  try {
    readFilters({ all: () => [{ name: 'exclude', value: text }] }, (path) => path);
    return true;
  } catch {
    return false;
  }
}

const option = fc.oneof(
  // An argument is UTF-8, a line of a file is bytes.
  fc.tuple(
    fc.constantFrom('exclude' as const, 'include' as const),
    rule.filter((text) => !text.includes('\xe9')),
  ),
  fc.tuple(
    fc.constant('exclude-from' as const),
    fc
      .tuple(fc.array(rule, { maxLength: 4 }), fc.constantFrom('\n', '\r\n', '\n\n'))
      .map(([lines, end]) => lines.map((line) => line + end).join('')),
  ),
);
const ruleSets = fc.array(fc.array(option, { maxLength: 5 }), { minLength: 8, maxLength: 8 });

const { SHARDCTL_FILTER_RULESETS: wanted } = process.env;
const AT_ONCE = 8;

/** @returns whether the test can go on */
function requireRsync(t: TestContext): boolean {
  try {
    execFileSync('rsync', ['--version']);
    return true;
  } catch {
    if ((process.env.SHARDCTL_TEST_REQUIRE ?? '').split(',').includes('rsync')) throw new Error('rsync is required but not there');
    t.skip('no rsync');
    return false;
  }
}

test('whatever the rules, what is imported is what rsync would copy', async (t) => {
  if (!requireRsync(t)) return;
  const dir = mkdtempSync(join(tmpdir(), 'shardctl-filters-'));
  const source = `${toBytes(dir)}/tree`;
  makeTree(source);
  let files = 0;
  const compare = async (options: readonly (readonly ['exclude' | 'include' | 'exclude-from', string])[]) => {
    const given = options.map(([name, text]) => {
      if (name !== 'exclude-from') return { name, value: text };
      const value = join(dir, String(files++));
      writeFileSync(value, text, 'latin1');
      return { name, value };
    });
    const theirs = await keptByRsync(
      source,
      given.map(({ name, value }) => `--${name}=${value}`),
    );
    assert.deepEqual(
      kept(
        source,
        readFilters({ all: () => given }, (path) => path),
      ),
      theirs,
      JSON.stringify(options),
    );
  };
  const seed = wanted === undefined ? { seed: 1 } : {};
  await fc.assert(
    fc.asyncProperty(ruleSets, async (sets) => void (await Promise.all(sets.map(compare)))),
    { numRuns: Math.ceil(Number(wanted ?? sampled(30, 200)) / AT_ONCE), ...seed },
  );
  rmSync(dir, { recursive: true });
});
