import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fsPath, joinBytes, keyOf, partsOf, toBytes } from './path-bytes.ts';

/** Names as Unix has them: any bytes but NUL and `/`. Few different bytes, and ones beside `/`, so that names begin alike. */
const name = fc
  .array(fc.oneof(fc.constantFrom(0x2d, 0x2e, 0x30, 0x61), fc.integer({ min: 1, max: 255 })), { minLength: 1, maxLength: 4 })
  .map((bytes) => Buffer.from(bytes).toString('latin1').replaceAll('/', '0'));
const names = fc.array(name, { minLength: 1, maxLength: 5 });

test('the way to an entry and its name give its path again', () => {
  fc.assert(
    fc.property(names, (parts) => {
      const path = parts.reduce(joinBytes, '');
      assert.equal(path, parts.join('/'));
      assert.deepEqual(partsOf(path), { above: parts.slice(0, -1).join('/'), name: parts.at(-1) });
    }),
  );
});

test('no byte of a name changes on its way to node:fs', () => {
  fc.assert(
    fc.property(name, (it) => {
      const given = fsPath(it);
      assert.deepEqual(typeof given === 'string' ? Buffer.from(given, 'utf8') : given, Buffer.from(it, 'latin1'));
    }),
  );
  assert.deepEqual(fsPath(toBytes('grö')), Buffer.from('grö', 'utf8'));
});

test('sorted by their keys, directories stand as a walk enters them: by bytes, each right before all that is below it', () => {
  fc.assert(
    fc.property(fc.array(names, { maxLength: 12 }), (paths) => {
      const all = new Set(['']);
      for (const parts of paths) for (let end = 1; end <= parts.length; end++) all.add(parts.slice(0, end).join('/'));
      const walked: string[] = [];
      const walk = (directory: string) => {
        walked.push(directory);
        const below = [...all].filter((path) => path !== '' && partsOf(path).above === directory).map((path) => partsOf(path).name);
        // As names are sorted in a directory; a subdirectory's name is compared with the slash behind it.
        const inOrder = below.sort((a, b) => Buffer.compare(Buffer.from(`${a}/`, 'latin1'), Buffer.from(`${b}/`, 'latin1')));
        for (const it of inOrder) walk(joinBytes(directory, it));
      };
      walk('');
      const sorted = [...all].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
      assert.deepEqual(sorted, walked);
    }),
  );
});
