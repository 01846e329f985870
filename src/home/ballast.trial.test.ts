import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { FaultMount, withoutFuse } from '../testing/fault-mount/fault-mount.ts';
import { LINUX_ERRNO } from '../testing/fault-mount/faults.ts';
import { fixture, Program } from '../testing/program.ts';

test('a peer on a stale mount does not answer, and keeps no command that frees space from its work', async (t) => {
  const why = withoutFuse();
  if (why !== undefined) return t.skip(why);
  const mount = await FaultMount.start();
  const program = new Program();
  try {
    mkdirSync(join(mount.below, 'disk'));
    for (const path of [program.path('near'), join(mount.dir, 'disk', 'far')]) program.succeeds('peers', 'add', 'local', path);
    program.succeeds('add', fixture('debian'), '--name', 'm', '--replication', '2');
    await mount.set({ refuse: [{ on: ['lookup', 'getattr', 'open', 'create'], errno: LINUX_ERRNO.ESTALE }] });
    program.succeeds('forget', 'm', '--keep-last', '1');
    program.succeeds('prune');
    assert.match(program.ends(42, 'rm', 'm').stderr, /peer "far"/);
    await mount.set({});
    program.succeeds('prune');
  } finally {
    program.dispose();
    await mount.dispose();
  }
});
