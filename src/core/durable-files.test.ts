import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { writeDurably } from './durable-files.ts';

test('a small file that is written sweeps away what died while it was written, and neither what is being written nor what is not ours', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'shardctl-durable-'));
  try {
    const [dead, young, strange] = [`a.${randomUUID()}.new`, `b.${randomUUID()}.new`, 'c.new'];
    for (const name of [dead, young, strange]) writeFileSync(join(dir, name), 'half');
    const hoursAgo = (hours: number) => Date.now() / 1000 - hours * 3600;
    for (const name of [dead, strange]) utimesSync(join(dir, name), hoursAgo(2), hoursAgo(2));
    await writeDurably(join(dir, 'a'), 'whole');
    assert.deepEqual(readdirSync(dir).sort(), ['a', young, strange].sort());
    assert.equal(readFileSync(join(dir, 'a'), 'utf8'), 'whole');
  } finally {
    rmSync(dir, { recursive: true });
  }
});
