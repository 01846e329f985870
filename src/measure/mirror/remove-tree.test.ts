import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { removeTree } from './remove-tree.ts';

const NOBODY = 65534;

test('a directory that nobody may write to goes, with what is in it', (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'shardctl-remove-'));
  t.after(() => rmSync(dir, { recursive: true }));
  const tree = join(dir, 'tree');
  mkdirSync(join(tree, 'pool'), { recursive: true });
  writeFileSync(join(tree, 'pool', 'a'), 'a');
  const isRoot = process.geteuid?.() === 0;
  if (isRoot) for (const path of [dir, tree, join(tree, 'pool'), join(tree, 'pool', 'a')]) chownSync(path, NOBODY, NOBODY);
  chmodSync(join(tree, 'pool'), 0o555);
  // Root may write anywhere.
  if (isRoot) process.seteuid?.(NOBODY);
  try {
    removeTree(tree);
    removeTree(tree);
  } finally {
    if (isRoot) process.seteuid?.(0);
  }
  assert.ok(!existsSync(tree));
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
