import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileFilter } from './filter.ts';

const excluded = (rules: string[], path: string, isDirectory = false) => compileFilter(rules).excludes(path, isDirectory);

test('a pattern without a slash matches the last component anywhere', () => {
  assert.equal(excluded(['- *.tmp'], 'a/b/x.tmp'), true);
  assert.equal(excluded(['- *.tmp'], 'a/x.tmp/b'), false);
  assert.equal(excluded(['- core'], 'a/score'), false);
});

test('a leading slash anchors at the root, any other slash at the end of the path', () => {
  assert.equal(excluded(['- /pool'], 'pool'), true);
  assert.equal(excluded(['- /pool'], 'a/pool'), false);
  assert.equal(excluded(['- b/c'], 'a/b/c'), true);
  assert.equal(excluded(['- b/c'], 'a/xb/c'), false);
});

test('a trailing slash matches directories only', () => {
  assert.equal(excluded(['- cache/'], 'a/cache', true), true);
  assert.equal(excluded(['- cache/'], 'a/cache', false), false);
});

test('the first rule that matches wins, and what no rule matches is included', () => {
  const rules = ['+ keep.tmp', '- *.tmp'];
  assert.equal(excluded(rules, 'a/keep.tmp'), false);
  assert.equal(excluded(rules, 'a/other.tmp'), true);
  assert.equal(excluded(rules, 'a/other'), false);
});

test('one star stops at a slash, two do not, and dir/*** is the directory with everything in it', () => {
  assert.equal(excluded(['- /a/*/c'], 'a/b/c'), true);
  assert.equal(excluded(['- /a/*/c'], 'a/b/b/c'), false);
  assert.equal(excluded(['- /a/**/c'], 'a/b/b/c'), true);
  for (const path of ['foo', 'x/foo', 'x/y/foo']) assert.equal(excluded(['- **/foo'], path), true, path);
  assert.equal(excluded(['- **/foo'], 'xfoo'), false);
  for (const path of ['a', 'a/b', 'a/b/c']) assert.equal(excluded(['- /a/***'], path, true), true, path);
  for (const path of ['a/b', 'a/b/c']) assert.equal(excluded(['- /a/***'], path), true, path);
  assert.equal(excluded(['- /a/***'], 'ab', true), false);
});

test('question marks, sets, and backslashes work as in a shell, and everything else is literal', () => {
  assert.equal(excluded(['- v?.[0-9]'], 'v1.7'), true);
  assert.equal(excluded(['- v?.[!0-9]'], 'v1.7'), false);
  assert.equal(excluded(['- \\*'], 'x'), false);
  assert.equal(excluded(['- \\*'], '*'), true);
  assert.equal(excluded(['- a+b(c)'], 'a+b(c)'), true);
  assert.equal(excluded(['- \xdf*'], '\xdfx'), true);
});

test('a rule that is neither - nor + is refused', () => {
  assert.throws(() => compileFilter(['merge x']), { code: 'USAGE' });
});

test('dir/*** leaves a file or a symlink of that name alone', () => {
  for (const pattern of ['fox/***', '/fox/***', 'fo?/***', 'fo*/***', '**/fox/***']) {
    assert.equal(excluded([`- ${pattern}`], 'fox'), false, pattern);
    assert.equal(excluded([`- ${pattern}`], 'fox', true), true, pattern);
  }
});

test('a pattern with ** may begin after any slash, one that begins with ** has the whole path', () => {
  for (const path of ['ab', 'x/ab', 'x/a/y/b']) assert.equal(excluded(['- a**b'], path), true, path);
  assert.equal(excluded(['- a**b'], 'xab'), false);
  assert.equal(excluded(['- /a**b'], 'x/ab'), false);
  for (const path of ['ab', 'xab', 'x/y/ab']) assert.equal(excluded(['- **ab'], path), true, path);
});
