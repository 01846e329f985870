/**
 * Removes from the peers what no snapshot needs by the index: strays, and shards that no snapshot names, unless they have blocks that a
 * named shard has lost. What the index does not know is never touched, and what another home has marked stays, as both may share a peer.
 */
import type { DigestMap } from '../../core/digest-map.ts';
import { ShardctlError } from '../../core/errors.ts';
import { peerWarning } from '../../core/events.ts';
import type { Maintenance } from '../maintenance.ts';
import { liveLossOf } from './live-loss.ts';

export interface Removal {
  /** Shards and strays that stay because a peer does not answer; their records stay too. */
  readonly left: number;
  /** Copies that stay because other homes count on them. */
  readonly kept: number;
}

/** @param live what retained snapshots reach @param silent peers that do not answer, which was told: they are not asked */
export async function removeUnneeded(run: Maintenance, live: DigestMap, silent: ReadonlySet<string>): Promise<Removal> {
  const { index, emit, signal } = run;
  const snapshots = index.repositories().flatMap(({ name }) => index.snapshots(name));
  const named = new Set(snapshots.flatMap(({ shards }) => shards));
  for (const number of [...named]) {
    const shard = index.shard(number);
    if (shard !== undefined) for (const other of liveLossOf(shard, index, live).elsewhere) named.add(other);
  }
  const dead = [...index.shards()].filter(({ number }) => !named.has(number));
  // First the index stops counting on these shards, durably; only then the first copy is removed.
  await index.replaceSnapshots(
    [],
    dead.map(({ number }) => number),
  );
  const needed = new Map(snapshots.map(({ catalogue: { cid, peers } }) => [cid, new Set(peers)]));
  for (const number of named) {
    const shard = index.shard(number);
    // Two runs that made the same shard at the same time may have chosen different peers.
    if (shard !== undefined) needed.set(shard.cid, new Set([...(needed.get(shard.cid) ?? []), ...shard.peers]));
  }

  const unreachable = new Set(silent);
  const strays = index.strays();
  let done = 0;
  let left = 0;
  let kept = 0;
  for (const { number, cid, peers } of dead) await removeOne(cid, peers, () => index.dropShard(number));
  for (const { cid, peers } of strays) await removeOne(cid, peers, () => index.dropStray(cid));
  return { left, kept };

  async function removeOne(cid: string, holders: readonly string[], forget: () => Promise<void>): Promise<void> {
    signal.throwIfAborted();
    // Another record may stand for the same shard, when a run died between putting and recording it: the copies of that record stay.
    const unneeded = holders.filter((name) => needed.get(cid)?.has(name) !== true);
    if (await removeFrom(cid, unneeded)) await forget();
    else left++;
    emit({ type: 'progress', label: 'removing', done: ++done, total: dead.length + strays.length, bytes: 0 });
  }

  async function removeFrom(cid: string, holders: readonly string[]): Promise<boolean> {
    let gone = true;
    for (const name of holders) {
      // Nothing is done on a peer that is no longer set up.
      const peer = run.peers.get(name);
      if (peer === undefined) continue;
      try {
        if (unreachable.has(name)) gone = false;
        else if ((await peer.remove(cid)) === 'kept') kept++;
      } catch (error) {
        if (!(error instanceof ShardctlError)) throw error;
        gone = false;
        unreachable.add(name);
        emit(peerWarning(name, 'keeps what is not needed until the next prune', error));
      }
    }
    return gone;
  }
}
