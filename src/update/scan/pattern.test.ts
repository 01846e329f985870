import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Element, Matcher, parsePattern } from './pattern.ts';

const matches = (pattern: string, text: string) => new Matcher(parsePattern(pattern)).matches(text, 0, false);

/** Which of all bytes a pattern of one byte matches. */
const taken = (pattern: string) =>
  Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte)).filter((byte) => matches(pattern, byte));

test('a class is a set of ASCII, whatever the locale, and an unknown one matches nothing', () => {
  for (const [name, count] of Object.entries({ alnum: 62, alpha: 52, blank: 2, digit: 10, lower: 26, upper: 26, space: 6, xdigit: 22 }))
    assert.equal(taken(`[[:${name}:]]`).length, count, name);
  assert.equal(taken('[[:cntrl:]]').join(), [...Array(32).keys(), 127].map((byte) => String.fromCharCode(byte)).join());
  // No set has the slash: a path has it between its names alone.
  assert.equal(taken('[[:graph:]]').length, 94 - 1);
  assert.equal(taken('[[:print:]]').length, 95 - 1);
  assert.equal(taken('[[:punct:]]').length, 32 - 1);
  for (const pattern of ['[[:nope:]]', '[[:nope:]a]', '[[::]]', '[[:ALPHA:]]']) assert.equal(taken(pattern).length, 0, pattern);
  assert.equal(taken('[![:digit:]x]').length, 256 - 11 - 1);
  assert.equal(taken('[^[:digit:]x]').length, 256 - 11 - 1);
});

test('a bracket that comes first, a hyphen at an end, and a backslash stand for themselves in a set', () => {
  const sets = {
    '[]]': ']',
    '[]-]': '-]',
    '[-a]': '-a',
    '[a-]': '-a',
    '[a\\]b]': ']ab',
    '[\\\\]': '\\',
    '[a-c]': 'abc',
    '[a-\\c]': 'abc',
    '[c-a]': 'c',
    '[a-c-e]': '-abce',
    '[[:digit:]-x]': '-0123456789x',
    '[[:]': ':[',
    '[[:ab]': ':[ab',
    '[a': '',
    '[': '',
    '[!': '',
    '[a\\': '',
    '\\': '',
    '[\xe0-\xe2]': '\xe0\xe1\xe2',
  };
  for (const [pattern, all] of Object.entries(sets)) assert.equal(taken(pattern).join(''), all, pattern);
  assert.equal(taken('[!a]').length, 256 - 1 - 1);
  assert.equal(taken('[!]a]').length, 256 - 2 - 1);
});

/** The definition, which tries one way after the other. */
function matchesByDefinition([first, ...rest]: readonly Element[], text: string): boolean {
  if (first === undefined) return text === '';
  const takes = text !== '' && first.accepts[text.charCodeAt(0)] === 1;
  if (first.repeats) return matchesByDefinition(rest, text) || (takes && matchesByDefinition([first, ...rest], text.slice(1)));
  return takes && matchesByDefinition(rest, text.slice(1));
}

const patterns = fc.array(fc.constantFrom('a', 'b', '/', '*', '**', '?', '[ab]', '[!a]', '\\*', '['), { maxLength: 7 });
const texts = fc.string({ unit: fc.constantFrom('a', 'b', '/', '*'), maxLength: 8 });

test('a pattern matches what its definition says, from any place, and after any slash where it may', () => {
  fc.assert(
    fc.property(patterns, texts, fc.nat(3), fc.boolean(), (pattern, text, from, anywhere) => {
      const elements = parsePattern(pattern.join(''));
      const starts = [...text.slice(from).matchAll(/(?<=\/)/g)].map(({ index }) => from + index);
      const expected = [from, ...(anywhere ? starts : [])].some((start) => matchesByDefinition(elements, text.slice(start)));
      const matcher = new Matcher(elements);
      // Twice, because it remembers nothing of the text before.
      matcher.matches('b/a*', 0, true);
      assert.equal(
        matcher.matches(text, Math.min(from, text.length), anywhere),
        from > text.length ? matchesByDefinition(elements, '') : expected,
      );
    }),
    { numRuns: 3000 },
  );
});

test('the work is at most pattern times text, however many stars there are', () => {
  const long = `${'a'.repeat(120)}/${'a'.repeat(120)}1`;
  const path = `${'a/'.repeat(2047)}a`;
  for (const pattern of ['**a**a**a**b', '*a*a*a*a*b', 'x**************.ts', '***************X***', '*a'.repeat(100), '**/'.repeat(60)]) {
    for (const text of [long, path]) {
      const elements = parsePattern(pattern);
      let looks = 0;
      const counted = new Proxy(elements, {
        get(target, key) {
          if (typeof key === 'string' && /^\d/.test(key)) looks++;
          return Reflect.get(target, key);
        },
      });
      new Matcher(counted).matches(text, 0, true);
      assert.ok(looks <= 2 * (elements.length + 1) * (text.length + 2), `${pattern}: ${looks} looks`);
    }
  }
});
