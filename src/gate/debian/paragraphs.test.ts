/** Two versions of a text, held against the comparison of all their paragraphs. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { comparedUnits } from '../claims/compared-units.ts';
import { Paragraphs } from './paragraphs.ts';
import { packageStanzas, stanzasOf } from './stanzas.ts';

/** Some begin alike, and two are longer than what is compared at once. */
const NAMES = ['a 1', 'a 2', 'ab 1', 'ab 12', 'b', `long ${'x'.repeat(20_000)} 1`, `long ${'x'.repeat(20_000)} 2`, ...'cdefghijklmnop'];
const ALL = NAMES.map((name) => `Package: ${name}\nVersion: 1`);
const most = fc.uniqueArray(fc.nat(ALL.length - 1), { maxLength: 5 }).map((out) => ALL.filter((_, i) => !out.includes(i)));
const between = fc.oneof(
  { weight: 15, arbitrary: fc.constant('\n\n') },
  { weight: 1, arbitrary: fc.constantFrom('\n\n\n', '\n \n', '\n\t\n\n', '\n\n \n', '\r\n\r\n') },
);
const version = fc.oneof(most, most, fc.shuffledSubarray(ALL)).chain((all) =>
  fc.tuple(fc.array(between, { minLength: all.length, maxLength: all.length }), fc.constantFrom('', '', '\n', ' \n\n'), fc.boolean()).map(
    ([breaks, first, hasEnd]) =>
      // What the last one ends with is a part of it.
      first + all.map((text, i) => `${text}${i < all.length - 1 || hasEnd ? breaks[i] : ''}`).join(''),
  ),
);

async function* pieces(text: string, sizes: readonly number[]): AsyncGenerator<Buffer> {
  let at = 0;
  for (const size of sizes) {
    if (at < text.length) yield Buffer.from(text.slice(at, at + size), 'latin1');
    at += size;
  }
  if (at < text.length) yield Buffer.from(text.slice(at), 'latin1');
}

test('what both have, what came and what went is the same as of all paragraphs, wherever the texts are cut', async () => {
  const sizes = fc.array(fc.constantFrom(1, 2, 5, 20, 100, 10_000), { maxLength: 20 });
  let stretches = 0;
  await fc.assert(
    fc.asyncProperty(version, version, sizes, sizes, async (before, now, cuts, others) => {
      const [older, newer] = [[...new Paragraphs(before)], [...new Paragraphs(now)]];
      const found = { both: [] as string[], came: [] as string[], went: [] as string[] };
      const versions = [stanzasOf(pieces(now, cuts)), stanzasOf(pieces(before, others))] as const;
      for await (const { both, came, went } of comparedUnits(packageStanzas(''), ...versions)) {
        stretches += both.filter((part) => [...part].length > 1).length;
        found.both.push(...both.flatMap((part) => [...part]));
        found.came.push(...came);
        found.went.push(...went);
      }
      // Short, because a message has all of it.
      const told = (all: readonly string[]) => all.map((one) => one.replace(/x+/, '…')).sort();
      assert.deepEqual(told(found.both), told(newer.filter((one) => older.includes(one))));
      assert.deepEqual(told(found.came), told(newer.filter((one) => !older.includes(one))));
      assert.deepEqual(told(found.went), told(older.filter((one) => !newer.includes(one))));
    }),
    { numRuns: 300 },
  );
  assert.ok(stretches > 100, `${stretches} stretches of several paragraphs`);
});

test('a new paragraph in a long text, one that went and one that changed leave the others in stretches', async () => {
  const before = Array.from({ length: 1000 }, (_, i) => `Package: p${i}\nFilename: pool/p${i}.deb`);
  const now = before.toSpliced(500, 1, 'Package: new 1', 'Package: new 2').toSpliced(200, 1).toSpliced(900, 0, 'Package: new 3');
  const parts: (readonly string[])[] = [];
  const [newer, older] = [now, before].map((version) => stanzasOf(pieces(version.join('\n\n'), [7000])));
  for await (const { both } of comparedUnits(packageStanzas(''), newer as never, older)) parts.push(...both.map((part) => [...part]));
  assert.equal(parts.flat().length, 998);
  assert.ok(parts.length < 12, `${parts.length} parts`);
});
