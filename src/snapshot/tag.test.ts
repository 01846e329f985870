import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { endOfDate, snapshotAt } from './snapshot-date.ts';
import { checkTag, tagsOf, tagsWithout } from './tag.ts';

test('a tag is neither a number nor a date, and stands as it is in a shell, in a URL and in a reference', () => {
  for (const tag of ['bookworm-12.8', 'tested', 'v1', '7a', '2026-11', '1.0~rc1+deb12', 'a'.repeat(100)]) assert.equal(checkTag(tag), tag);
  const wrong = [
    '',
    '7',
    '0007',
    '2026-11-25',
    '20261125T120000Z',
    'a/b',
    'a@b',
    'a b',
    "a'b",
    '-a',
    '.a',
    '~a',
    'ä',
    'a\n',
    'a'.repeat(101),
  ];
  for (const tag of wrong) assert.throws(() => checkTag(tag), { code: 'USAGE' }, JSON.stringify(tag));
  const law = fc.property(fc.string(), (text) => {
    let tag: string;
    try {
      tag = checkTag(text);
    } catch {
      return;
    }
    assert.equal(encodeURIComponent(tag).replaceAll('%2B', '+'), tag);
    assert.ok(!/^\d+$/.test(tag) && endOfDate(tag) === undefined);
  });
  fc.assert(law);
});

test('a tag leads to the snapshot that has it, as long as that is kept, and no property of every object is a tag', () => {
  const snapshots = [1, 2, 7].map((number) => ({ number, time: `2026-11-2${number}T00:00:00.000Z` }));
  const tags = { tested: 2, gone: 3 };
  assert.equal(snapshotAt(snapshots, 'tested', tags)?.number, 2);
  for (const when of ['gone', 'other', 'constructor', '__proto__', 'toString'])
    assert.equal(snapshotAt(snapshots, when, tags), undefined, when);
});

test('a snapshot may have several tags, and loses those that are taken away', () => {
  const tags = { b: 7, a: 7, c: 2 };
  assert.deepEqual(tagsOf(tags, 7), ['a', 'b']);
  assert.deepEqual(tagsOf(undefined, 7), []);
  assert.deepEqual(
    tagsWithout(tags, (_, snapshot) => snapshot === 7),
    { c: 2 },
  );
  assert.equal(
    tagsWithout(tags, () => true),
    undefined,
  );
});
