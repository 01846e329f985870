import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatCount, formatSize, parseSize } from './sizes.ts';

test('K and KiB are 1024 bytes, KB is 1000, a bare number is bytes', () => {
  const sizes = {
    '0': 0,
    '4096': 4096,
    '12B': 12,
    '1K': 1024,
    '1k': 1024,
    '1KiB': 1024,
    '1kB': 1000,
    '500GB': 500e9,
    '128MiB': 128 * 1024 ** 2,
    '1.5T': 1.5 * 1024 ** 4,
    ' 2 g ': 2 * 1024 ** 3,
  };
  for (const [text, bytes] of Object.entries(sizes)) assert.equal(parseSize(text), bytes, text);
});

test('what is no size is refused', () => {
  for (const text of ['', 'GB', '-1', '1e9', '0x10', '1 000', '1,5G', '5X', '5GBB', '9999999P', 'NaN'])
    assert.equal(parseSize(text), undefined, text);
});

test('a shown size is within a twentieth of the real one', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2 ** 52 }), (bytes) => {
      const back = parseSize(formatSize(bytes)) as number;
      assert.ok(Math.abs(back - bytes) <= bytes / 20, `${bytes} was shown as ${formatSize(bytes)}`);
    }),
  );
});

test('a size never shows as 1024 of a unit', () => {
  assert.equal(formatSize(1023), '1023 B');
  assert.equal(formatSize(1024 ** 2 - 1), '1.0 MiB');
  assert.equal(formatSize(1024 ** 3 - 1), '1.0 GiB');
  assert.equal(formatSize(-1536), '-1.5 KiB');
});

test('counts are grouped by thousands in every locale', () => {
  assert.equal(formatCount(0), '0');
  assert.equal(formatCount(999), '999');
  assert.equal(formatCount(1234567), '1,234,567');
});
