import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Mount } from '../../core/mounts.ts';
import { toBytes } from '../../core/path-bytes.ts';
import { isIn, partsIn } from './paths-in.ts';

let dir: string;
before(() => {
  dir = realpathSync(mkdtempSync(join(tmpdir(), 'shardctl-paths-')));
  for (const path of ['peer/shards/a', 'out/part', 'out/other', 'beside']) mkdirSync(join(dir, path), { recursive: true });
});
after(() => rmSync(dir, { recursive: true }));

/** As Linux would list it where `out/part` and `out/other` show directories below `shown`. */
function mountsOf(shown: string, other = 'beside'): readonly Mount[] {
  const mount = (id: string, parent: string, root: string, point: string) => ({ id, parent, root: toBytes(root), point: toBytes(point) });
  return [
    { ...mount('1', '0', '/', '/'), device: '8:1', type: 'ext4' },
    { ...mount('2', '1', join(dir, shown), join(dir, 'out/part')), device: '8:1', type: 'ext4' },
    { ...mount('3', '1', join(dir, other), join(dir, 'out/other')), device: '8:1', type: 'ext4' },
  ];
}

test('a directory has a part of another one where that part is mounted in it, and all of it where the whole is', () => {
  const [out, peer] = [join(dir, 'out'), join(dir, 'peer')];
  assert.deepEqual(partsIn(out, peer, mountsOf('peer/shards')), ['part']);
  assert.deepEqual(partsIn(out, peer, mountsOf('peer/shards', 'peer/shards/a')), ['part', 'other']);
  assert.deepEqual(partsIn(out, peer, mountsOf('.')), ['part/peer']);
  assert.deepEqual(partsIn(out, peer, mountsOf('beside')), []);
  assert.deepEqual(partsIn(dir, peer, mountsOf('peer/shards')), ['peer', 'out/part']);
});

test('a path below a mount is in the directory that the mount shows a part of', () => {
  const [peer, all] = [join(dir, 'peer'), mountsOf('peer/shards')];
  assert.ok(isIn(peer, join(dir, 'out/part/new'), all));
  assert.ok(!isIn(peer, join(dir, 'out/other/new'), all));
  assert.ok(!isIn(peer, join(dir, 'out'), all));
});
