import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { DIRECTORY, FILE } from '../../core/model.ts';
import { deletionsIn, refuseExcess } from './deletions.ts';

let dir: string;
before(() => {
  dir = mkdtempSync(join(tmpdir(), 'shardctl-deletions-'));
});
after(() => rmSync(dir, { recursive: true }));

function write(root: string, paths: readonly string[]): void {
  for (const path of paths) {
    mkdirSync(join(root, path, '..'), { recursive: true });
    writeFileSync(join(root, path), path);
  }
}

test('what the tree has not goes, whole directories at once; what is excluded stays, and what is above it', () => {
  const out = join(dir, 'out');
  write(out, ['kept/a', 'kept/b', 'gone/a', 'gone/deep/b', 'logs/x.log', 'logs/other', '.shardctl-fetch/entries']);
  const tree = new Set(['kept', 'kept/a']);
  const found = deletionsIn(
    out,
    (path) => tree.has(path),
    (path) => path.endsWith('.log'),
  );
  const byPath = found.deletions.map(({ path, kind }) => `${path} ${kind === DIRECTORY ? 'd' : kind === FILE ? 'f' : 'l'}`).sort();
  assert.deepEqual(byPath, ['gone d', 'kept/b f', 'logs/other f']);
  assert.deepEqual([found.gone, found.entries], [6, 9]);
});

test('more than --max-delete allows is refused, as a number and as a part', () => {
  assert.throws(() => refuseExcess(6, 10, { percent: 50 }), { code: 'MAX_DELETE', hint: /--max-delete/ });
  assert.throws(() => refuseExcess(6, 10, { entries: 5 }), { code: 'MAX_DELETE' });
  refuseExcess(5, 10, { percent: 50 });
  refuseExcess(10, 10, undefined);
});
