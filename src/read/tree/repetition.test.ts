import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sha256 } from '../../dag/cid.ts';
import { BoundlessTree, FREE_PARTS, MOST_REPEATED, Repetition } from './repetition.ts';

const digestOf = (n: number) => sha256(Buffer.from(`${n}`));

/** @param nodes that are looked into one after the other, round and round @param parts that are read, `links` of each node @returns parts that were read */
function read(nodes: number, links: number, parts: number): number {
  const digests = Array.from({ length: nodes }, (_, i) => digestOf(i));
  const repetition = new Repetition();
  let done = 0;
  try {
    for (let i = 0; done < parts; i++) {
      repetition.node(digests[i % nodes] as Uint8Array, links);
      for (let k = 0; k < links; k++, done++) repetition.part();
    }
  } catch (error) {
    assert.ok(error instanceof BoundlessTree, String(error));
  }
  return done;
}

test('a few nodes over and over are read as often as parts are free, and no more', () => {
  assert.equal(read(1, 2, 3 * FREE_PARTS), FREE_PARTS - 1);
  assert.equal(read(45, 2, 3 * FREE_PARTS), FREE_PARTS - 1);
});

test('files of parts enough are read to their end, however long they are', () => {
  const nodes = Math.ceil(FREE_PARTS / MOST_REPEATED / 1000);
  assert.ok(read(nodes, 1000, 3 * FREE_PARTS) >= 3 * FREE_PARTS);
  assert.equal(read(nodes - 1, 1000, 3 * FREE_PARTS), FREE_PARTS - 1);
});
