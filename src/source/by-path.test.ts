import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { writeTree } from '../testing/tree.ts';

const SHARDCTL = fileURLToPath(new URL('../../../bin/shardctl.js', import.meta.url));
const isTraced = spawnSync('strace', ['-o', '/dev/null', 'true']).status === 0;

test('what is made to fail for one path, fails', { skip: isTraced ? false : 'strace is not here, or may not trace' }, () => {
  const dir = mkdtempSync(join(tmpdir(), 'shardctl-by-path-'));
  try {
    writeTree(dir, { source: { a: 'a', sub: { b: 'b' }, z: 'z' } });
    for (const path of ['a', 'sub', 'sub/b']) {
      const failing = ['-f', '-qq', '-o', '/dev/null', '-P', join(dir, 'source', path), '-e', 'inject=openat:error=ESTALE'];
      const { status, stderr } = spawnSync(
        'strace',
        [...failing, process.execPath, SHARDCTL, '--home', join(dir, `home-${path.replace('/', '-')}`), 'add', join(dir, 'source')],
        { encoding: 'utf8' },
      );
      assert.equal(status, 23, stderr);
      assert.ok(stderr.includes(path) && stderr.includes('ESTALE'), stderr);
    }
  } finally {
    rmSync(dir, { recursive: true });
  }
});
