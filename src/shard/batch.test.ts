import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BatchBuilder, type BlockBatch } from './batch.ts';

/** Adds blocks, takes a batch, or lets go of the oldest one that is still held. */
const step = fc.oneof(
  fc.nat(40_000).map((bytes) => ({ kind: 'add', bytes }) as const),
  fc.constant({ kind: 'take' } as const),
  fc.constant({ kind: 'release' } as const),
);

test('a batch keeps its bytes until it is released, whatever is gathered meanwhile', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const builder = new BatchBuilder();
      const held: { readonly batch: BlockBatch; readonly bytes: Buffer }[] = [];
      let fill = 0;
      for (const it of steps) {
        if (it.kind === 'add') builder.add(Buffer.alloc(it.bytes, ++fill));
        else if (it.kind === 'release') held.shift()?.batch.release();
        else {
          const batch = builder.takeBatch();
          held.push({ batch, bytes: Buffer.from(batch.batch) });
        }
        for (const { batch, bytes } of held) assert.ok(batch.batch.equals(bytes));
      }
    }),
    { numRuns: 50 },
  );
});

test('batches that are released one after the other share two pieces of memory, and a large one is let go', () => {
  const builder = new BatchBuilder();
  const memory = new Set<ArrayBufferLike>();
  for (let i = 0; i < 100; i++) {
    builder.add(Buffer.alloc(1000, i));
    const { batch, release } = builder.takeBatch();
    memory.add(batch.buffer);
    release();
  }
  assert.equal(memory.size, 2);

  builder.add(Buffer.alloc(1_000_000));
  const large = builder.takeBatch();
  large.release();
  builder.takeBatch();
  builder.add(Buffer.alloc(1000));
  assert.notEqual(builder.takeBatch().batch.buffer, large.batch.buffer);
});
