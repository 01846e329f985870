import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import Module from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Index } from '../index.ts';

test('where npm has left the binary of lmdb out, that is said, and not that the disk is bad', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'shardctl-tables-'));
  t.after(() => rmSync(dir, { recursive: true }));
  t.mock.method(Module as unknown as { _load: () => unknown }, '_load', () => {
    throw new Error('No native build was found');
  });
  await assert.rejects(Index.open(dir), { code: 'IO', message: /^lmdb has no binary here/, hint: /install shardctl again/ });
});
