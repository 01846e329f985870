import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import fc from 'fast-check';
import { displayJson, displayLine, displayPath, displayText, displayUrl, listed, shellWord } from './display.ts';

/** What a terminal obeys: control characters of both kinds, changes of direction, breaks of lines. */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;
const text = fc.string({
  unit: fc.oneof(
    fc.constantFrom('\x1b', '`shardctl ', '\x60', '\x9b', '\n', '\u202e', '\u2028', '\\', 'n', 'a', 'ö', '😀'),
    fc.string({ unit: 'binary', maxLength: 1 }),
  ),
});
const bytes = fc.uint8Array({ maxLength: 20 }).map((it) => Buffer.from(it).toString('latin1'));

test('nothing that is shown has a character that a terminal obeys', () => {
  fc.assert(
    fc.property(text, bytes, (it, path) => {
      for (const shown of [displayText(it), displayLine(it), displayPath(path), displayPath(Buffer.from(it).toString('latin1'))])
        assert.doesNotMatch(shown, UNSAFE, JSON.stringify(shown));
    }),
  );
});

test('two texts that differ, or two paths of one kind, are never shown alike', () => {
  fc.assert(fc.property(text, text, (a, b) => assert.equal(displayText(a) === displayText(b), a === b)));
  const isUtf8 = (path: string) => Buffer.from(Buffer.from(path, 'latin1').toString('utf8'), 'utf8').equals(Buffer.from(path, 'latin1'));
  fc.assert(
    fc.property(bytes, bytes, (a, b) => {
      fc.pre(isUtf8(a) === isUtf8(b));
      assert.equal(displayPath(a) === displayPath(b), a === b);
    }),
  );
});

test('a name does not begin a command, which a backtick before the name of the program does', () => {
  assert.equal(displayPath('a`shardctl rm b`'), 'a\\x60shardctl rm b`');
  assert.equal(displayPath('\xff`shardctl rm b`'), '\\xFF\\x60shardctl rm b`');
  assert.equal(displayText('`shardctl`'), '`shardctl`');
});

test('what was escaped once stays as it is as a line', () => {
  fc.assert(fc.property(text, (it) => assert.equal(displayLine(displayText(it)), displayText(it))));
});

test('JSON without what a terminal obeys says the same', () => {
  fc.assert(
    fc.property(fc.dictionary(text, text), (it) => {
      const shown = displayJson(JSON.stringify(it));
      assert.doesNotMatch(shown, UNSAFE);
      assert.equal(JSON.stringify(JSON.parse(shown)), JSON.stringify(it));
    }),
  );
});

test('a shell takes a quoted word for the very word', () => {
  const words = ['a', "it's", '$HOME', '`id`', 'a b', '*', '-n', '"', '\\', 'grö', ';', '~'];
  const printed = execFileSync('sh', ['-c', `printf '%s\\n' ${words.map(shellWord).join(' ')}`], { encoding: 'utf8' });
  assert.deepEqual(printed.split('\n').slice(0, -1), words);
});

test('a URL is shown without user and password', () => {
  for (const [url, shown] of [
    ['https://me:secret@attic:5001/api', 'https://attic:5001/api'],
    ['me:secret@attic', 'attic'],
    ['http://attic/a@b', 'http://attic/a@b'],
  ] as const)
    assert.equal(displayUrl(url), shown);
});

test('a long list is named in part', () => {
  assert.equal(listed(['a', 'b', 'c', 'd']), 'a, b, c, d');
  assert.equal(listed(['a', 'b', 'c', 'd', 'e'], '; '), 'a; b; c and 2 more');
});
