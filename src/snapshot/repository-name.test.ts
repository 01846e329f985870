import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkRepositoryName } from './repository-name.ts';

test('a name that a reference could not tell apart is refused', () => {
  for (const name of ['debian', '007', 'a b', 'ünïcode', '.hidden']) assert.equal(checkRepositoryName(name), name);
  for (const name of ['', '.', '..', 'a/b', 'a@7', '-q', 'a\nb', '\uFFFD', 'x'.repeat(241), 'ü'.repeat(41)]) {
    assert.throws(() => checkRepositoryName(name), { code: 'USAGE', hint: /--name/ }, name);
  }
});

test('a name that is refused is shown without what it would do to a terminal', () => {
  assert.throws(() => checkRepositoryName('a\u001b[2J'), { message: /"a\\x1B\[2J"/ });
});

test('a name that looks like a command of a message is refused: the home would be put into it', () => {
  assert.throws(() => checkRepositoryName('on `shardctl add`'), { code: 'USAGE' });
  assert.equal(checkRepositoryName('on `shardctl`'), 'on `shardctl`');
});
