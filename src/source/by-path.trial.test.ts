import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { onlyInAll } from '../testing/depth.ts';
import { writeTree } from '../testing/tree.ts';

const SHARDCTL = fileURLToPath(new URL('../../../bin/shardctl.js', import.meta.url));
const isTraced = spawnSync('strace', ['-o', '/dev/null', 'true']).status === 0;

test('a fault that is injected for one path meets the file of that path, because each is opened by its whole path', {
  skip: onlyInAll(isTraced ? false : 'strace is not here, or may not trace'),
}, () => {
  const dir = mkdtempSync(join(tmpdir(), 'shardctl-by-path-'));
  try {
    writeTree(dir, { source: { a: 'a', sub: { b: 'b' }, z: 'z' } });
    const add = [process.execPath, SHARDCTL, '--home', join(dir, 'home'), 'add', join(dir, 'source')];
    const run = (command: string, args: readonly string[]) => spawnSync(command, args, { encoding: 'utf8' });
    assert.equal(run(add[0] as string, add.slice(1)).status, 0);
    for (const [turn, path] of ['a', 'sub', 'sub/b'].entries()) {
      for (const file of ['a', 'sub/b', 'z']) utimesSync(join(dir, 'source', file), turn, turn);
      const failing = ['-f', '-qq', '-o', '/dev/null', '-P', join(dir, 'source', path), '-e', 'inject=openat:error=ESTALE'];
      const { status, stderr } = run('strace', [...failing, ...add]);
      assert.equal(status, 23, stderr);
      assert.ok(stderr.includes(path) && stderr.includes('ESTALE'), stderr);
    }
  } finally {
    rmSync(dir, { recursive: true });
  }
});
