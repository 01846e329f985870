import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DAG_PB, RAW } from '../core/model.ts';
import { cidText, sha256 } from './cid.ts';
import { CidMap } from './cid-map.ts';

/** CIDs of shards, and texts that are nearly one: of another codec or version, cut, longer, in other letters, with bits after the end. */
const text = fc.tuple(fc.nat(40), fc.nat(9)).map(([n, kind]): string => {
  const digest = sha256(Buffer.from(String(n)));
  const cid = cidText({ codec: DAG_PB, digest }, 1);
  const near = [
    cidText({ codec: RAW, digest }, 1),
    cidText({ codec: DAG_PB, digest }, 0),
    cid.slice(0, -1),
    `${cid}a`,
    `${cid.slice(0, -1)}${String.fromCharCode(cid.charCodeAt(cid.length - 1) + 1)}`,
    `${cid.slice(0, 20)}é${cid.slice(21)}`,
    cid.toUpperCase(),
  ];
  return near[kind] ?? cid;
});

test('a map of CIDs holds exactly what a Map of strings would, whatever the texts are', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(text, fc.boolean()), { maxLength: 200 }), (asked) => {
      const map = new CidMap();
      const model = new Map<string, number>();
      for (const [value, [cid, isAdded]] of asked.entries()) {
        assert.equal(map.get(cid), model.get(cid));
        if (isAdded) assert.equal(map.add(cid, value), !model.has(cid));
        else map.set(cid, value);
        if (!isAdded || !model.has(cid)) model.set(cid, value);
        assert.equal(map.get(cid), model.get(cid));
      }
      assert.equal(map.size, model.size);
      for (const [cid, value] of model) assert.equal(map.get(cid), value);
    }),
  );
});
