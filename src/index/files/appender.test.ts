import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { Appender } from './appender.ts';

const dir = mkdtempSync(join(tmpdir(), 'shardctl-appender-'));
after(() => rmSync(dir, { recursive: true }));

/** Some of them larger than the buffer, which has 256 KiB. */
const bytes = fc.oneof(fc.nat(100), fc.nat(200_000), fc.integer({ min: 262_140, max: 262_150 }), fc.nat(600_000));

test('a file is what was appended, in this order, be it larger than the buffer or not; the position is its length so far', () => {
  fc.assert(
    fc.property(fc.array(fc.record({ bytes, reserves: fc.boolean() }), { maxLength: 8 }), (parts) => {
      const path = join(dir, 'file');
      const appender = new Appender(path);
      const expected: Buffer[] = [];
      let length = 0;
      for (const [i, { bytes: size, reserves }] of parts.entries()) {
        assert.equal(appender.position, length);
        const part = Buffer.alloc(size, i + 1);
        if (reserves) appender.reserve(size).set(part);
        else appender.append(part);
        expected.push(part);
        length += size;
      }
      appender.finish();
      appender.finish();
      assert.ok(readFileSync(path).equals(Buffer.concat(expected)));
    }),
    { numRuns: 40 },
  );
});
