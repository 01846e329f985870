import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { BatchBuilder } from '../../shard/batch.ts';
import { CAR_HEADER_BYTES, SectionCursor } from '../../shard/car.ts';
import { GatherMemory, OpenShard } from './open-shard.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'shardctl-open-shard-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

/** Tells which pieces of memory are in use, and which ever were. */
class CountedMemory extends GatherMemory {
  readonly all = new Set<Buffer>();
  readonly inUse = new Set<Buffer>();

  override take(): Buffer {
    const memory = super.take();
    assert.ok(!this.inUse.has(memory), 'memory is given away that is being written');
    this.all.add(memory);
    this.inUse.add(memory);
    return memory;
  }

  override giveBack(memory: Buffer): void {
    this.inUse.delete(memory);
    super.giveBack(memory);
  }
}

test('small parts of many shards are gathered in four pieces of memory, each used again when it is written', async () => {
  const memory = new CountedMemory();
  for (let number = 1; number <= 3; number++) {
    const shard = new OpenShard(dir, number, { memory });
    const sections: Buffer[] = [];
    for (let n = 0; n < 60; n++) {
      const builder = new BatchBuilder();
      builder.add(Buffer.alloc(200_000, `${number}/${n} `));
      const section = builder.take();
      for (const cursor = new SectionCursor(section); cursor.next(); ) shard.note(section, cursor.digestAt, cursor.end - cursor.dataAt);
      assert.equal(shard.write(section), undefined);
      sections.push(section);
      await shard.writable();
    }
    const { carPath } = await shard.seal();
    const written = Buffer.concat(sections);
    assert.ok(
      readFileSync(carPath)
        .subarray(CAR_HEADER_BYTES, CAR_HEADER_BYTES + written.length)
        .equals(written),
    );
  }
  assert.ok(memory.all.size <= 4, `${memory.all.size} pieces`);
  assert.equal(memory.inUse.size, 0);
});
