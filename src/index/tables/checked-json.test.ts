import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { checkedJson } from './checked-json.ts';

const { encoder } = checkedJson('/home/index/tables/data.mdb', '/home/index');

/** What tables hold: objects and lists. */
const value = fc.oneof(fc.dictionary(fc.string(), fc.jsonValue()), fc.array(fc.jsonValue()));

test('what is decoded is what was encoded, and so is what format 1 wrote without a checksum', () => {
  fc.assert(
    fc.property(value, (it) => {
      const json = JSON.stringify(it);
      assert.equal(JSON.stringify(encoder.decode(encoder.encode(it))), json);
      assert.equal(JSON.stringify(encoder.decode(Buffer.from(json))), json);
    }),
  );
});

test('with any bit flipped it is refused', () => {
  const good = encoder.encode({ number: 12, cid: 'bafy', state: 'placed', peers: ['n\u00e4', 'one\n'] });
  for (let bit = 0; bit < good.length * 8; bit++) {
    const bytes = Buffer.from(good);
    bytes[bit >> 3] = bytes.readUInt8(bit >> 3) ^ (1 << (bit & 7));
    assert.throws(() => encoder.decode(bytes), { code: 'DAMAGE', hint: /shardctl recover NAME/ }, `bit ${bit}`);
  }
});
