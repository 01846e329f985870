import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { dateOf, decide, type RequestConditions } from './conditions.ts';

const ETAG = '"bafkqaaa"';
const MODIFIED = Date.UTC(2026, 10, 25, 12) / 1000;
const at = (seconds: number) => new Date((MODIFIED + seconds) * 1000).toUTCString();
const VALIDATORS = { etag: ETAG, modified: MODIFIED };

const decided = (headers: RequestConditions, method = 'GET', size: number | undefined = 10) => {
  const decision = decide(headers, VALIDATORS, size, method);
  return decision.status === 206 ? `206 ${decision.range.from}-${decision.range.to}` : decision.status;
};

test('conditions are decided as RFC 9110 has it, in its order', () => {
  const table: [RequestConditions, number | string][] = [
    [{}, 200],
    // 13.1.1: strong comparison.
    [{ 'if-match': ETAG }, 200],
    [{ 'if-match': '*' }, 200],
    [{ 'if-match': `"x", ${ETAG}` }, 200],
    [{ 'if-match': `W/${ETAG}` }, 412],
    [{ 'if-match': '"x"' }, 412],
    [{ 'if-match': '' }, 412],
    // 13.1.2: weak comparison.
    [{ 'if-none-match': ETAG }, 304],
    [{ 'if-none-match': `W/${ETAG}` }, 304],
    [{ 'if-none-match': `"x",W/"y" ,${ETAG}` }, 304],
    [{ 'if-none-match': ' * ' }, 304],
    [{ 'if-none-match': '"x"' }, 200],
    [{ 'if-none-match': '"x*"' }, 200],
    [{ 'if-none-match': 'bafkqaaa' }, 200],
    // A tag with a comma in it is one tag; its end may look like ours.
    [{ 'if-none-match': '"x, \'bafkqaaa"' }, 200],
    [{ 'if-none-match': `"a,b", ${ETAG}` }, 304],
    // 13.1.3, and no date where a list of tags is.
    [{ 'if-modified-since': at(0) }, 304],
    [{ 'if-modified-since': at(1) }, 304],
    [{ 'if-modified-since': at(-1) }, 200],
    [{ 'if-modified-since': 'yesterday' }, 200],
    [{ 'if-modified-since': at(0), 'if-none-match': '"x"' }, 200],
    [{ 'if-modified-since': at(-1), 'if-none-match': ETAG }, 304],
    // 13.1.4.
    [{ 'if-unmodified-since': at(0) }, 200],
    [{ 'if-unmodified-since': at(-1) }, 412],
    [{ 'if-unmodified-since': 'x' }, 200],
    [{ 'if-unmodified-since': at(-1), 'if-match': ETAG }, 200],
    // 13.2.2: what fails first decides.
    [{ 'if-match': '"x"', 'if-none-match': ETAG }, 412],
    [{ 'if-match': ETAG, 'if-none-match': ETAG }, 304],
    [{ 'if-unmodified-since': at(-1), 'if-modified-since': at(0) }, 412],
    [{ 'if-none-match': ETAG, range: 'bytes=0-1' }, 304],
    [{ 'if-none-match': ETAG, range: 'bytes=99-' }, 304],
    [{ 'if-match': '"x"', range: 'bytes=99-' }, 412],
    // 13.1.5: a strong tag, or exactly the date.
    [{ range: 'bytes=0-1', 'if-range': ETAG }, '206 0-2'],
    [{ range: 'bytes=0-1', 'if-range': `W/${ETAG}` }, 200],
    [{ range: 'bytes=0-1', 'if-range': '"x"' }, 200],
    [{ range: 'bytes=99-', 'if-range': '"x"' }, 200],
    [{ range: 'bytes=99-', 'if-range': ETAG }, 416],
    [{ range: 'bytes=0-1', 'if-range': at(0) }, '206 0-2'],
    [{ range: 'bytes=0-1', 'if-range': at(1) }, 200],
    [{ range: 'bytes=0-1', 'if-range': 'x' }, 200],
  ];
  for (const [headers, wanted] of table) assert.equal(decided(headers), wanted, JSON.stringify(headers));
  const head: [RequestConditions, number][] = [
    [{ range: 'bytes=0-1' }, 200],
    [{ range: 'bytes=99-' }, 200],
    [{ 'if-none-match': ETAG }, 304],
  ];
  for (const [headers, wanted] of head) assert.equal(decided(headers, 'HEAD'), wanted, JSON.stringify(headers));
});

test('what has no mtime is not compared by date', () => {
  const noDate = { etag: ETAG, modified: undefined };
  for (const name of ['if-modified-since', 'if-unmodified-since'] as const)
    assert.equal(decide({ [name]: at(0) }, noDate, 10, 'GET').status, 200, name);
  assert.equal(decide({ range: 'bytes=0-1', 'if-range': at(0) }, noDate, 10, 'GET').status, 200);
});

test('one range of bytes is a part; what the file does not have is 416; several, and nonsense, are the whole', () => {
  const table: [string, number, number | string][] = [
    ['bytes=0-', 10, '206 0-10'],
    ['bytes=0-0', 10, '206 0-1'],
    ['bytes=9-9', 10, '206 9-10'],
    ['bytes=9-100', 10, '206 9-10'],
    ['bytes=-1', 10, '206 9-10'],
    ['bytes=-100', 10, '206 0-10'],
    ['bytes=10-', 10, 416],
    ['bytes=-0', 10, 416],
    ['bytes=0-', 0, 416],
    ['bytes=-5', 0, 200],
    ['bytes=99999999999999999999-', 10, 416],
    ['bytes=0-99999999999999999999', 10, '206 0-10'],
    ['Bytes=1-2', 10, '206 1-3'],
    ['bytes=2-1', 10, 200],
    ['bytes=-', 10, 200],
    ['bytes=', 10, 200],
    ['bytes=a-b', 10, 200],
    ['bytes=0-1,3-4', 10, 200],
    ['bytes=0-1, ', 10, 200],
    ['lines=0-1', 10, 200],
    ['bytes=+1-2', 10, 200],
    ['bytes=0x1-2', 10, 200],
  ];
  for (const [range, size, wanted] of table) assert.equal(decided({ range }, 'GET', size), wanted, `${range} of ${size}`);
  assert.equal(decided({ range: 'bytes=0-1' }, 'GET', undefined), '206 0-2');
  assert.equal(decide({ range: 'bytes=0-1' }, VALIDATORS, undefined, 'GET').status, 200);
});

test('a range is the bytes whose offsets it names', () => {
  const law = fc.property(fc.nat(20), fc.option(fc.nat(25)), fc.option(fc.nat(25)), (size, first, last) => {
    const bytes = Array.from({ length: size }, (_, i) => i);
    const decision = decide({ range: `bytes=${first ?? ''}-${last ?? ''}` }, VALIDATORS, size, 'GET');
    const got = decision.status === 206 ? bytes.slice(decision.range.from, decision.range.to) : decision.status;
    if (first === null && last === null) return assert.equal(got, 200);
    if (first !== null && last !== null && last < first) return assert.equal(got, 200);
    const wanted = bytes.filter((i) => (first === null ? i >= size - (last ?? 0) : i >= first && i <= (last ?? size)));
    if (first === null && last !== 0 && size === 0) return assert.equal(got, 200);
    assert.deepEqual(got, wanted.length === 0 ? 416 : wanted);
  });
  fc.assert(law, { numRuns: 500 });
});

test('dates are read in the three forms of HTTP, and nothing else is a date', () => {
  const same = Date.UTC(1994, 10, 6, 8, 49, 37) / 1000;
  for (const text of ['Sun, 06 Nov 1994 08:49:37 GMT', 'Sunday, 06-Nov-94 08:49:37 GMT', 'Sun Nov  6 08:49:37 1994'])
    assert.equal(dateOf(text), same, text);
  for (const text of [
    '',
    '2026-11-25',
    'Sun, 31 Feb 2026 08:49:37 GMT',
    'Sun, 06 Nov 1994 25:49:37 GMT',
    'Sun, 06 Xyz 1994 08:49:37 GMT',
    '0',
  ])
    assert.equal(dateOf(text), undefined, text);
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 4_000_000_000 }), (seconds) => dateOf(new Date(seconds * 1000).toUTCString()) === seconds),
  );
});
