import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { UnreadableIndex } from '../claims/claim.ts';
import { Paragraphs } from './paragraphs.ts';
import { packageStanzas, sourceStanzas, stanzasOf } from './stanzas.ts';

const HEX = 'ab'.repeat(32);
const path = fc.constantFrom('pool/a.deb', './b.deb', '../c.deb', 'pool//d.deb', '/e.deb', '');
const name = (of: string) => fc.constantFrom(of, of.toLowerCase(), of.toUpperCase());
const field = (of: string, values: fc.Arbitrary<string>) =>
  fc.tuple(name(of), fc.constantFrom(': ', ':', ':\t'), values).map((parts) => parts.join(''));
const noise = fc.constantFrom('Package: p', 'Description: Filename: no', ' Filename: no', 'X-Filename: no', 'Status: installed');
const lines = (fields: readonly fc.Arbitrary<string>[]) =>
  fc.array(fc.oneof(noise, ...fields), { maxLength: 8 }).map((some) => some.join('\n'));

test('the paths of a package are those of its claims, with fields in any order, any case, and more than once', () => {
  const stanzas = lines([field('Filename', path), field('Size', fc.constant('12')), field('SHA256', fc.constant(HEX))]);
  held(stanzas, packageStanzas('base'));
});

test('the paths of a source are those of its claims, of the strongest hashes that it has', () => {
  const files = fc
    .array(
      path.map((file) => ` ${HEX} 12 ${file}`),
      { maxLength: 3 },
    )
    .map((some) => ['', ...some].join('\n'));
  const weak = fc.constantFrom('', `\n ${'c'.repeat(32)} 9 weak.dsc`);
  const stanzas = lines([field('Directory', path), field('Checksums-Sha256', files), field('Files', weak)]);
  held(stanzas, sourceStanzas('base'));
});

function held(stanzas: fc.Arbitrary<string>, reader: ReturnType<typeof packageStanzas>): void {
  let compared = 0;
  fc.assert(
    fc.property(stanzas, (stanza) => {
      const claims = claimsOf(reader, stanza);
      if (claims === undefined) return void reader.pathsOf(stanza);
      compared += claims.length;
      assert.deepEqual(
        reader.pathsOf(stanza),
        claims.map((claim) => claim.path),
      );
    }),
    { numRuns: 1000 },
  );
  assert.ok(compared > 50);
}

test('paths of a text are counted only where none leads nowhere or is of one of the names, as a look at each paragraph says', () => {
  const { pathsOf, countBeside } = packageStanzas('base');
  const odd = fc.constantFrom(
    'pool/a.deb ',
    'pool/ a.deb',
    'x\ra.deb',
    'a.deb\rx',
    'a\0.deb',
    'pool/.',
    '..',
    'pool/',
    '\u00a0a.deb',
    '\n b.deb',
  );
  const paragraphs = fc.array(lines([field('Filename', fc.oneof(path, path, odd))]), { maxLength: 4 });
  const names = fc.constantFrom<readonly string[]>(
    [],
    ['a.deb'],
    ['b.deb', 'x'],
    ['other'],
    [' a.deb'],
    ['b.deb', 'c.deb', 'd.deb', 'e.deb'],
  );
  let counted = 0;
  fc.assert(
    fc.property(paragraphs, names, (some, of) => {
      const part = new Paragraphs(some.join('\n\n'));
      const count = countBeside?.(part, new Set(of));
      const paths = [...part].flatMap(pathsOf);
      if (count === undefined) return;
      if (count > 0) counted++;
      assert.ok(paths.every((one) => one !== undefined && !of.includes(one.slice(one.lastIndexOf('/') + 1))));
      // One that comes twice in a paragraph counts twice.
      assert.ok(count >= paths.length);
    }),
    { numRuns: 2000 },
  );
  assert.ok(counted > 50, `${counted} counted`);
  const plain = new Paragraphs('Package: a\nFilename: pool/a.deb\n\nFilename: pool/b.deb\nSize: 1');
  assert.deepEqual([countBeside?.(plain, new Set(['c.deb'])), countBeside?.(plain, new Set(['b.deb']))], [2, undefined]);
});

/** Undefined for what cannot be read. */
function claimsOf(reader: ReturnType<typeof packageStanzas>, stanza: string) {
  try {
    return reader.claimsOf(stanza);
  } catch (error) {
    if (error instanceof UnreadableIndex) return undefined;
    throw error;
  }
}

test('any number of empty lines is between two paragraphs, and none of them is one', async () => {
  const piece = (text: string) => Buffer.from(text, 'latin1');
  async function* pieces() {
    yield piece(`a: 1\n${'\n'.repeat(10_000)}`);
    yield piece(`${' \t\n'.repeat(10_000)}b: 2\n\nc: `);
    yield piece('3\n');
  }
  const found: string[] = [];
  for await (const stanzas of stanzasOf(pieces())) found.push(...stanzas);
  assert.deepEqual(
    found.map((text) => text.trim()).filter((text) => text !== ''),
    ['a: 1', 'b: 2', 'c: 3'],
  );
  assert.ok(found.length < 8, `${found.length} paragraphs`);
});

test('more paragraphs than any archive has make an index unreadable, as soon as there are so many', async () => {
  let asked = 0;
  async function* pieces() {
    for (; ; asked++) yield Buffer.from('x\n\n'.repeat(100));
  }
  const read = async () => {
    for await (const _ of stanzasOf(pieces(), 1000));
  };
  await assert.rejects(read, new UnreadableIndex('has more than 1,000 paragraphs'));
  // 3,000 characters are not counted, and then a thousand paragraphs.
  assert.equal(asked, 20);
});
