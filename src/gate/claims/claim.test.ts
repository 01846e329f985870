import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { pathWithin } from './claim.ts';

/** Name by name, as a client walks. */
function walked(directory: string, named: string): string | undefined {
  if (named === '' || named.startsWith('/')) return undefined;
  const names = directory.split('/').filter((name) => name !== '');
  for (const name of named.split('/')) {
    if (name === '..' && names.length === 0) return undefined;
    if (name === '..') names.pop();
    else if (name !== '' && name !== '.') names.push(name);
  }
  return names.length === 0 ? undefined : names.join('/');
}

const name = fc.constantFrom('a', 'b.deb', '.', '..', '', '...', '.a', 'a.', '..a');

test('a path leads where a walk name by name leads, and never out of the tree', () => {
  fc.assert(
    fc.property(fc.constantFrom('', 'x', 'x/y'), fc.array(name, { minLength: 1, maxLength: 6 }), (directory, names) => {
      assert.equal(pathWithin(directory, names.join('/')), walked(directory, names.join('/')));
    }),
    { numRuns: 1000 },
  );
});
