/** What JSON of strangers may cost. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { UnreadableIndex } from '../claims/claim.ts';
import { jsonObject } from './whole-text.ts';

test('any JSON object is what JSON.parse makes of it', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue()), (value) => {
      const text = JSON.stringify(value);
      assert.deepEqual(jsonObject(Buffer.from(text)), JSON.parse(text));
    }),
  );
});

test('what would take more memory than any index is not parsed', () => {
  const deep = (brackets: string, n: number) => Buffer.from(`{"a":${brackets.repeat(n)}`);
  for (const bomb of [deep('[', 1 << 20), deep('{"a":', 1 << 20)])
    assert.throws(() => jsonObject(bomb), /more than 100 objects in one another/);
  for (const many of ['[],', '{},', '1,', '"",'])
    assert.throws(() => jsonObject(Buffer.from(`{"a":[${many.repeat(5_000_001)}1]}`)), /more than 5,000,000 values/);
});

test('brackets and commas within strings are no values', () => {
  const text = `{"a\\\\\\"[[":"${'[,{'.repeat(2_000_000)}\\\\"}`;
  assert.deepEqual(jsonObject(Buffer.from(text)), JSON.parse(text));
});

test('what is no JSON object is unreadable', () => {
  for (const text of ['', '[]', '1', '{', '"', '"\\', '}}}}', '{"a":1}}'])
    assert.throws(() => jsonObject(Buffer.from(text)), UnreadableIndex);
});
