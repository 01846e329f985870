import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
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

test('one in which somebody makes files while it is removed goes, too', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'shardctl-remove-'));
  // It ends when there is no directory to make a file in, and anyhow.
  const script = 'cd "$1" && i=0 && echo begun && while [ $((i += 1)) -lt 2000 ]; do : > "$1/$i" || exit 0; done';
  const child = spawn('sh', ['-c', script, 'sh', dir], { stdio: ['ignore', 'pipe', 'ignore'] });
  const ended = once(child, 'exit');
  await once(child.stdout, 'data');
  removeTree(dir);
  assert.ok(!existsSync(dir));
  await ended;
});
