/** `primary.xml` as anybody may have written it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Claim, UnreadableIndex } from '../claims/claim.ts';
import { parsedPrimary, primaryReader, primaryUnits } from './primary.ts';

async function* inParts(...parts: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield Buffer.from(part);
}

const reader = primaryReader('repo');

async function claimsOf(parts: AsyncIterable<Uint8Array>, most?: number): Promise<readonly Claim[]> {
  const claims: Claim[] = [];
  for await (const units of primaryUnits('repo', parts, most)) claims.push(...units.flatMap(reader.claimsOf));
  return claims;
}

function packageOf(name: string, more = ''): string {
  return `<package type="rpm"><name>${name}</name><checksum type="sha256">${'0'.repeat(64)}</checksum><size package="1"/>${more}<location href="${name}.rpm"/></package>`;
}

const unreadable = (message: RegExp) => (error: unknown) => error instanceof UnreadableIndex && message.test(error.message);

test('more packages than any repository has are no index', async () => {
  const document = (count: number) => inParts('<metadata>', ...Array.from({ length: count }, (_, i) => packageOf(`p${i}`)), '</metadata>');
  assert.equal((await claimsOf(document(20), 20)).length, 20);
  await assert.rejects(claimsOf(document(21), 20), unreadable(/more than 20 packages/));
});

test('a package without an end, in texts, in elements or in attributes, is no index', async () => {
  const begin = '<metadata><package type="rpm"><location href="a.rpm"/>';
  const endless = {
    text: 'x'.repeat(1024),
    elements: '<file>a</file>'.repeat(100),
    attributes: `<rpm:entry name="${'n'.repeat(1000)}"/>`,
  };
  for (const [what, more] of Object.entries(endless)) {
    const parts = inParts(begin, ...Array.from({ length: 20_000 }, () => more), '</package></metadata>');
    await assert.rejects(claimsOf(parts), unreadable(/package of more than 8 MiB/), what);
  }
});

test('a document that is cut off is no index', async () => {
  for (const text of [
    '',
    '<metadata>',
    `<metadata>${packageOf('a')}`,
    `<metadata>${packageOf('a')}<package>`,
    `<metadata><!-- -->${packageOf('a')}`,
  ])
    await assert.rejects(claimsOf(inParts(text)), unreadable(/no whole primary.xml/), text);
});

test('an end of a package that is none is no index, or ends none', async () => {
  const hidden = packageOf('a', '<a b="</package>"/>');
  await assert.rejects(claimsOf(inParts(`<metadata>${hidden}</metadata>`)), unreadable(/no whole primary.xml/));
  const paths = async (text: string) => (await claimsOf(inParts(`<metadata>${text}</metadata>`))).map(({ path }) => path);
  assert.deepEqual(await paths(`<!-- </package> -->${packageOf('a')}`), ['repo/a.rpm']);
  assert.deepEqual(await paths(packageOf('a', '<![CDATA[</package>]]>')), ['repo/a.rpm']);
  assert.deepEqual(await paths(packageOf('a').replace('</package>', '</package\n>') + packageOf('b')), ['repo/a.rpm', 'repo/b.rpm']);
});

const location = fc.oneof(
  fc.constantFrom(
    '<location href="x.rpm" xml:base="http://there"/>',
    "<location href='b&amp;c.rpm'/>",
    '<location\n  a="1" href="p/d.rpm" />',
  ),
  fc.stringMatching(/^[a-zäß&;'. /]{0,6}$/).map((name) => `<location href="${name.replaceAll('&', '&amp;')}.rpm"/>`),
  fc.constantFrom(
    `<location a='href="no.rpm"' href="real.rpm"/>`,
    '<location xlink:href="no.rpm" href="real.rpm"/>',
    '<location a=" href=b" href="real.rpm"/>',
    '<location href="a.rpm" xml:base="sub"/>',
  ),
  fc.constant('<location href="first.rpm"/><location href="second.rpm"/>'),
);
const packageElement = fc
  .tuple(location, fc.nat(3), fc.constantFrom('', '<packager>Péter</packager>', '<summary>a &lt;b&gt; "c" > d</summary>'), fc.nat(9))
  .map(
    ([where, size, more, digit]) =>
      `<package type="rpm">${more}<checksum type="sha256">${`${digit}`.repeat(64)}</checksum><size package="${size}"/>${where}</package>`,
  );
const odd = fc.constantFrom(
  '<!-- </package> -->',
  '<![CDATA[<package>]]>',
  '<?pi </package>?>',
  packageOf('odd').replace('</package>', '</package >'),
);
const primary = fc
  .tuple(
    fc.constantFrom('', '<?xml version="1.0" encoding="UTF-8"?>\n', '<?xml version="1.0"?><!-- made -->'),
    fc.array(
      fc.oneof({ weight: 20, arbitrary: packageElement }, { weight: 1, arbitrary: odd }, { weight: 4, arbitrary: fc.constant('\n  ') }),
    ),
  )
  .map(([begin, elements]) => `${begin}<metadata xmlns="http://linux.duke.edu/metadata/common">${elements.join('')}</metadata>\n`);

test('law: a document that is cut says what it says when it is parsed, wherever its pieces end; paths are those of the claims', async () => {
  await fc.assert(
    fc.asyncProperty(primary, fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }), async (text, lengths) => {
      async function* pieces(): AsyncGenerator<Uint8Array> {
        const bytes = Buffer.from(text);
        for (let [at, i] = [0, 0]; at < bytes.length; i++) {
          const end = at + (lengths[i % lengths.length] as number);
          yield bytes.subarray(at, end);
          at = end;
        }
      }
      const claims: Claim[] = [];
      for await (const some of parsedPrimary('repo', pieces())) claims.push(...some);
      assert.deepEqual(await claimsOf(pieces()), claims);
      const paths: (string | undefined)[] = [];
      for await (const units of primaryUnits('repo', pieces())) paths.push(...units.flatMap(reader.pathsOf));
      const there = (path: string | undefined) => path !== undefined;
      assert.deepEqual(paths.filter(there), claims.map(({ path }) => path).filter(there));
    }),
  );
});

test('a package without a URL of its own is in this repository', async () => {
  const paths = async (base: string) =>
    (await claimsOf(inParts(`<metadata>${packageOf('a').replace('<location', `<location xml:base="${base}"`)}</metadata>`))).map(
      ({ path }) => path,
    );
  assert.deepEqual(await paths('https://elsewhere.example'), []);
  for (const [base, path] of [
    ['', 'repo/a.rpm'],
    ['.', 'repo/a.rpm'],
    ['sub', 'repo/sub/a.rpm'],
  ] as const)
    assert.deepEqual(await paths(base), [path]);
});

test('a document with a DOCTYPE, whose entities may hold or hide packages, is no index', async () => {
  const hiding = `<!DOCTYPE metadata [<!ENTITY a "><metadata><!--">]><metadata>${packageOf('a')}<!-- --></metadata>`;
  for (const text of [hiding, `<?xml version="1.0"?>${hiding}`, hiding.replace('DOCTYPE', 'doctype')])
    await assert.rejects(claimsOf(inParts(text)), unreadable(/DOCTYPE/));
});

test('a document whose end is missing is no index, whatever it has of its own name', async () => {
  for (const read of [parsedPrimary, primaryUnits])
    await assert.rejects(
      async () => {
        for await (const _ of read('repo', inParts(`<metadata><metadata/>${packageOf('a')}`)));
      },
      unreadable(/no whole/),
    );
});
