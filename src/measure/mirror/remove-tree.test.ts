import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { removeTree } from './remove-tree.ts';

const isRoot = process.getuid?.() === 0;

test('a directory that nobody may write to goes, with what is in it', { skip: isRoot && 'root may write anywhere' }, () => {
  const dir = mkdtempSync(join(tmpdir(), 'shardctl-remove-'));
  mkdirSync(join(dir, 'pool'));
  writeFileSync(join(dir, 'pool', 'a'), 'a');
  chmodSync(join(dir, 'pool'), 0o555);
  removeTree(dir);
  assert.ok(!existsSync(dir));
  removeTree(dir);
});
