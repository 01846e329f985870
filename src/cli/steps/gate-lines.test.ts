/** What `status` says of a head that the gate could not judge. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Index } from '../../index/index.ts';
import type { Peer } from '../../peer/peer.ts';
import { gateLines } from './gate-lines.ts';

/** A head of shard `bafy1`, of which no peer gave bytes. */
function linesOf(outcome: string, givesBytes: boolean | undefined): readonly string[] {
  const index = {
    snapshot: () => ({ number: 3, shards: [1], gate: { outcome, unread: 'bafy1' } }),
    shard: () => ({ cid: 'bafy1', peers: ['far'] }),
  } as unknown as Index;
  const peers = new Map([['far', { givesBytes } as Peer]]);
  const head = { number: 3 } as NonNullable<Parameters<typeof gateLines>[0][number]['head']>;
  return gateLines([{ name: 'debian', head }], { index, peers });
}

test('of a head that is not judged it is said whether it can be judged now, and by which command', () => {
  assert.deepEqual(linesOf('unjudged', false), [
    'not judged by the gate: debian@3; nothing can be read from its peers, as they are set up',
  ]);
  assert.deepEqual(linesOf('unjudged', undefined), [
    'not judged by the gate: debian@3; it may be read now: `shardctl update debian` judges it',
  ]);
  assert.deepEqual(linesOf('passed', undefined), []);
});
