/** `primary.xml` as anybody may have written it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UnreadableIndex } from '../claims/claim.ts';
import { primaryClaims } from './primary.ts';

async function* inParts(...parts: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield Buffer.from(part);
}

async function pathsOf(parts: AsyncIterable<Uint8Array>, most?: number): Promise<readonly (string | undefined)[]> {
  const paths: (string | undefined)[] = [];
  for await (const claims of primaryClaims('repo', parts, most)) paths.push(...claims.map(({ path }) => path));
  return paths;
}

function packageOf(name: string, more = ''): string {
  return `<package type="rpm"><name>${name}</name><checksum type="sha256">${'0'.repeat(64)}</checksum><size package="1"/>${more}<location href="${name}.rpm"/></package>`;
}

const unreadable = (message: RegExp) => (error: unknown) => error instanceof UnreadableIndex && message.test(error.message);

test('more packages than any repository has are no index', async () => {
  const document = (count: number) => inParts('<metadata>', ...Array.from({ length: count }, (_, i) => packageOf(`p${i}`)), '</metadata>');
  assert.equal((await pathsOf(document(20), 20)).length, 20);
  await assert.rejects(pathsOf(document(21), 20), unreadable(/more than 20 packages/));
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
    await assert.rejects(pathsOf(parts), unreadable(/package of more than 8 MiB/), what);
  }
});
