import assert from 'node:assert/strict';
import { linkSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { TEST_OWNER } from '../../../testing/owner.ts';
import { makeBlocks, makeShard } from '../../../testing/shards.ts';
import { LocalPeer } from '../local.ts';

/** Paths of the files below a directory, relative to it. */
function filesBelow(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .flatMap((entry) => (entry.isFile() ? [join(entry.parentPath, entry.name).slice(directory.length + 1)] : []))
    .sort();
}

test('a shard is removed with all of its blocks also when its pin and blocks have a second name, where a removal puts them', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'shardctl-names-'));
  try {
    const path = join(dir, 'peer');
    const peer = await LocalPeer.create({ owner: TEST_OWNER, name: 'disk', path, layout: 'blockstore' });
    const [shard, other] = [makeShard(dir, makeBlocks(3, 100)), makeShard(dir, makeBlocks(3, 100, 2))];
    const keep = { mayConsume: false, signal: new AbortController().signal };
    await peer.put(other, keep);
    const blocks = filesBelow(join(path, 'blocks'));
    await peer.put(shard, keep);
    // As left by a run that died between giving the second name and taking the first.
    for (const folder of ['blocks', 'pins', 'leaving']) mkdirSync(join(path, folder), { recursive: true });
    linkSync(join(path, 'pins', shard.cid), join(path, 'pins', `${shard.cid}.removing`));
    for (const file of filesBelow(join(path, 'blocks'))) linkSync(join(path, 'blocks', file), join(path, 'leaving', basename(file)));
    assert.equal(await peer.remove(shard.cid), 'removed');
    assert.deepEqual(readdirSync(join(path, 'pins')), [other.cid]);
    assert.deepEqual(filesBelow(join(path, 'blocks')), blocks);
    assert.equal(await peer.remove(other.cid), 'removed');
    assert.deepEqual(
      ['blocks', 'pins', 'leaving', 'tmp'].map((folder) => filesBelow(join(path, folder))),
      [[], [], [], []],
    );
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
