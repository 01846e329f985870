/**
 * Removes copies from peers that need not have them any more. Crashes are survived by the order: the other holders say once more that they
 * have the shard → the record names them alone, and the copy is noted as a stray → the copy is removed → the stray is forgotten. A run
 * that is killed in between leaves one copy too many, which the next `prune` removes.
 */
import { ShardctlError } from '../../core/errors.ts';
import { type Emit, peerWarning } from '../../core/events.ts';
import type { Index } from '../../index/index.ts';
import type { Peer } from '../../peer/peer.ts';
import type { Holding } from '../holdings.ts';

export interface LettingGo {
  readonly index: Index;
  readonly peers: ReadonlyMap<string, Peer>;
  readonly emit: Emit;
}

/** `kept`: by the peer, because another home counts on it. `left`: as it was, with a warning that says why. */
export type Gone = 'removed' | 'kept' | 'left';

/** A copy that is not needed any more. */
export interface Surplus {
  readonly holding: Holding;
  readonly from: string;
  /** Peers of which each must say once more that it has the shard, before the copy is removed. */
  readonly stay: readonly string[];
}

/** @returns what became of the copy, and the peers that are recorded to hold the shard now */
export async function letGo(run: LettingGo, { holding, from, stay }: Surplus): Promise<{ gone: Gone; peers: readonly string[] }> {
  const { index, emit } = run;
  const { cid, label, peers, carBytes } = holding;
  if (!(await allHave(run, cid, stay))) {
    emit({
      type: 'warning',
      peer: from,
      message: `peer ${from} keeps ${label} (${cid}): not all of ${stay.join(', ')} say now that they have it`,
    });
    return { gone: 'left', peers };
  }
  const others = peers.filter((name) => name !== from);
  if (others.length < peers.length) await index.relocate(cid, holding, others);
  else await index.noteStray({ cid, peers: [from] });
  emit({ type: 'moved', what: `${label} ${cid}`, bytes: carBytes, from });
  return { gone: await takeAway(run, cid, from), peers: others };
}

/** Removes a copy that is noted as a stray already. A peer that does not answer keeps it until the next run. */
export async function takeAway({ index, peers, emit }: LettingGo, cid: string, name: string): Promise<Gone> {
  try {
    const gone = await peers.get(name)?.remove(cid);
    await index.dropStray(cid, [name]);
    return gone ?? 'removed';
  } catch (error) {
    if (!(error instanceof ShardctlError)) throw error;
    emit(peerWarning(name, `keeps ${cid}, which is elsewhere now`, error));
    return 'left';
  }
}

/** Whether each of the peers says now that it has the shard; not when there are none. */
async function allHave({ peers }: LettingGo, cid: string, names: readonly string[]): Promise<boolean> {
  if (names.length === 0) return false;
  for (const name of names) {
    try {
      if ((await peers.get(name)?.has(cid)) !== true) return false;
    } catch (error) {
      if (!(error instanceof ShardctlError)) throw error;
      return false;
    }
  }
  return true;
}
