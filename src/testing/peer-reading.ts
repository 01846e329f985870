/** What a peer gives, for tests: everything of it at once. */
import assert from 'node:assert/strict';
import { sha256 } from '../dag/cid.ts';
import type { Mark, Peer } from '../peer/peer.ts';
import type { TestShard } from './shards.ts';

export async function cidsOf(peer: Peer): Promise<string[]> {
  const cids: string[] = [];
  for await (const cid of peer.list()) cids.push(cid);
  return cids;
}

export async function scanOf(peer: Peer, shard: TestShard): Promise<{ blocks: string[]; damage: string[] }> {
  const damage: string[] = [];
  const blocks: string[] = [];
  const reader = await peer.open(shard.cid);
  for await (const { digest, bytes } of reader.scan((detail) => damage.push(detail))) {
    assert.deepEqual(bytesOf(sha256(bytes)), bytesOf(digest));
    blocks.push(bytesOf(digest).toString());
  }
  await reader.close();
  return { blocks, damage };
}

export function bytesOf(bytes: Uint8Array | undefined): Uint8Array {
  assert.ok(bytes);
  return new Uint8Array(bytes);
}

export async function marksOn(peer: Peer): Promise<Mark[]> {
  const marks: Mark[] = [];
  for await (const mark of peer.marks()) marks.push(mark);
  return marks;
}
