import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DAG_PB, RAW } from '../../core/model.ts';
import { encodeEmptyFile, encodeFileNode } from '../../dag/file-node.ts';
import { digestOf } from '../../testing/model-tree.ts';
import { withMetadata } from './re-root.ts';

const V1 = { cidVersion: 1 } as const;
const before = { mode: 0o644, mtimeNs: 1_700_000_000_000_000_001n };
const after = { mode: 0o755, mtimeNs: 1_700_000_001_000_000_000n };
const children = ['a', 'b'].map((text) => ({ codec: RAW, digest: digestOf(text), fileBytes: 10, dagSize: 10 }) as const);

test('a root node with other metadata is the one that a fresh import of the same content makes', () => {
  const fresh = encodeFileNode(children, after, V1.cidVersion);
  assert.deepEqual(withMetadata(encodeFileNode(children, before, V1.cidVersion), after, V1), { block: fresh, dagSize: fresh.length + 20 });
  const empty = encodeEmptyFile(after);
  assert.deepEqual(withMetadata(encodeEmptyFile(before), after, V1), { block: empty, dagSize: empty.length });
});

test('a node that a fresh import would have written otherwise is not made anew', () => {
  // Its link is a CIDv0, where this profile writes CIDv1.
  const links = children.slice(0, 1).map((child) => ({ ...child, codec: DAG_PB }) as const);
  assert.equal(withMetadata(encodeFileNode(links, before, 0), after, V1), undefined);
  assert.notEqual(withMetadata(encodeFileNode(links, before, 1), after, V1), undefined);
});
