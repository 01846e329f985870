/** Roots that are pinned by themselves, on a real daemon. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { RAW } from '../../core/model.ts';
import { cidText, sha256 } from '../../dag/cid.ts';
import { KuboDaemon, requireKubo } from '../../testing/kubo.ts';
import { OTHER_OWNER, TEST_OWNER } from '../../testing/owner.ts';
import { makeBlocks, makeShard } from '../../testing/shards.ts';
import { KuboPeer } from './kubo.ts';

const keep = { mayConsume: false, signal: new AbortController().signal };

const dir = mkdtempSync(join(tmpdir(), 'shardctl-kubo-roots-'));
let started: Promise<KuboDaemon> | undefined;
const peers: KuboPeer[] = [];
after(async () => {
  for (const peer of peers) await peer.close();
  await (await started)?.stop();
  rmSync(dir, { recursive: true, force: true });
});

/** The one daemon of this file, as two homes use it. */
async function world() {
  started ??= KuboDaemon.start(join(dir, 'ipfs'));
  const daemon = await started;
  const id = daemon.repo.text(['id', '-f', '<id>']);
  const peerOf = (owner: typeof TEST_OWNER) => {
    const peer = new KuboPeer({ name: 'attic', url: daemon.url, id, owner });
    peers.push(peer);
    return peer;
  };
  /** What is pinned directly and is no mark, which is a CID with the identity in it. */
  const direct = () =>
    daemon.repo
      .text(['pin', 'ls', '--type=direct', '-q'])
      .split('\n')
      .filter((cid) => cid !== '' && !cid.startsWith('bafkqa'))
      .sort();
  return { daemon, peer: peerOf(TEST_OWNER), other: peerOf(OTHER_OWNER), direct };
}

test('roots are pinned by themselves, the last ones of a repository alone, and a root that two have stays for the other', async (t) => {
  if (!requireKubo(t)) return;
  const { daemon, peer, other, direct } = await world();
  const shard = makeShard(dir, makeBlocks(4, 400));
  await peer.put(shard, keep);
  const [a, b, c, d] = shard.data.map((block) => cidText({ codec: RAW, digest: sha256(block) }, 1)) as [string, string, string, string];
  await peer.pinRoots('debian', [a, b]);
  await peer.pinRoots('mirror', [b, c]);
  assert.deepEqual(direct(), [a, b, c].sort());
  await peer.pinRoots('debian', [d]);
  assert.deepEqual(direct(), [b, c, d].sort());
  await peer.pinRoots('mirror', []);
  assert.deepEqual(direct(), [d]);

  await other.pinRoots('debian', [a]);
  await peer.pinRoots('debian', []);
  assert.deepEqual(direct(), [a], 'another home has a repository of the same name');
  await other.pinRoots('debian', []);

  daemon.repo.run(['pin', 'add', '--recursive=false', '--name', 'mine', a]);
  await peer.pinRoots('debian', [a, shard.cid]);
  await peer.pinRoots('debian', []);
  assert.deepEqual(direct(), [a], 'a pin by somebody else');
  assert.equal(await peer.has(shard.cid), true, 'and one that is recursive');
  daemon.repo.run(['pin', 'rm', a]);
});

test('the roots of repositories that are no more are unpinned, and those of others, of any name, are not', async (t) => {
  if (!requireKubo(t)) return;
  const { peer, other, direct } = await world();
  const shard = makeShard(dir, makeBlocks(3, 400, 1));
  await peer.put(shard, keep);
  const [a, b, c] = shard.data.map((block) => cidText({ codec: RAW, digest: sha256(block) }, 1)) as [string, string, string];
  await peer.pinRoots('gone', [a, b]);
  await peer.pinRoots('one, two', [b]);
  await other.pinRoots('gone', [c]);
  await peer.keepRoots(new Set(['one, two']));
  assert.deepEqual(direct(), [b, c].sort());
  await peer.pinRoots('one, two', []);
  await other.keepRoots(new Set());
  assert.deepEqual(direct(), []);
});
