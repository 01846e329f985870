/** `peers rm`: the replicas on a peer do not count any more. Its shards stay on it, without this home's records. */

import { ShardctlError } from '../../core/errors.ts';
import { leastReplicas } from '../../core/model.ts';
import type { Index } from '../../index/index.ts';
import type { Peer } from '../../peer/peer.ts';
import type { Demands } from '../../storing/demand.ts';
import { holdingsOf } from '../../storing/holdings.ts';
import { inventoriesOf } from '../../storing/peer-inventory.ts';

export interface ReleaseRun {
  readonly index: Index;
  readonly peers: ReadonlyMap<string, Peer>;
  readonly demands: Demands;
  /** Remove it although its replicas are needed, because it is dead. */
  readonly force: boolean;
}

export interface Released {
  /** Shards and catalogues of which it had a replica. */
  readonly replicas: number;
  /** Those of them that have too few replicas without it, and those that have none. */
  readonly tooFew: number;
  readonly lost: number;
}

/** @throws ShardctlError `TOO_FEW_PEERS` when it holds replicas that are needed, and without `force` */
export async function release({ index, peers, demands, force }: ReleaseRun, names: readonly string[]): Promise<Released> {
  const others = new Map([...peers].filter(([peer]) => !names.includes(peer)));
  const held = await inventoriesOf(others);
  const affected = holdingsOf(index).filter(({ peers: holders }) => holders.some((name) => names.includes(name)));
  const counts = { replicas: affected.length, tooFew: 0, lost: 0 };
  for (const holding of affected) {
    const replicas = holding.peers.filter((name) => held.get(name)?.has(holding.cid)).length;
    if (replicas < leastReplicas(demands.ofUsers(holding).replication, others)) counts.tooFew++;
    if (replicas === 0) counts.lost++;
  }
  if (counts.tooFew > 0 && !force) {
    throw new ShardctlError(
      'TOO_FEW_PEERS',
      `${names.join(', ')} holds replicas of ${counts.tooFew === 1 ? 'a shard that has' : `${counts.tooFew} shards that have`} too few without it`,
      {
        hint: `run \`shardctl peers drain ${names[0]}\` first; if it is dead, say --force, and then \`shardctl repair\``,
      },
    );
  }
  for (const { cid, peers: holders, ...users } of affected) {
    await index.relocate(
      cid,
      users,
      holders.filter((name) => !names.includes(name)),
    );
  }
  // Records of dead shards and of what runs left on this peer go, too: it will never be asked to remove them.
  for (const { number, cid, peers: holders, state } of [...index.shards()]) {
    if (state !== 'sealed' || !holders.some((name) => names.includes(name))) continue;
    const staying = holders.filter((name) => !names.includes(name));
    await index.relocate(cid, { shards: [number], snapshots: [] }, staying);
  }
  for (const { cid, peers: holders } of index.strays()) if (holders.some((name) => names.includes(name))) await index.dropStray(cid, names);
  return counts;
}
