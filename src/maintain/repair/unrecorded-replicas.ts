/**
 * Replicas that no record names: a peer that had been removed was added again, or has another name now. Such a one counts again when it
 * has been read to its end, if this home has put it there, by its mark, or the shard has too few replicas without it.
 */

import { ShardctlError } from '../../core/errors.ts';
import { leastReplicas } from '../../core/model.ts';
import { type Peer, peerNamed } from '../../peer/peer.ts';
import { checkReplica, silenceOf } from '../../storing/copy/check-replica.ts';
import { type Holding, holdingsOf } from '../../storing/holdings.ts';
import { inventoriesOf, ownersByShard } from '../../storing/peer-inventory.ts';
import type { RepairRun } from './repair-run.ts';

export interface Unrecorded {
  /** Replicas that count again. */
  readonly found: number;
  /** Peers that have the shard besides those of its record, by its CID; in the record too, unless the run is a dry one. */
  readonly peersOf: ReadonlyMap<string, readonly string[]>;
  /** CIDs of shards of which there is only a damaged copy: it is recorded, and read again later. */
  readonly damaged: ReadonlySet<string>;
}

/** @param silent peers that do not answer */
export async function countUnrecorded(run: RepairRun, silent: ReadonlySet<string>): Promise<Unrecorded> {
  const { index, peers, demands, self, dryRun, emit, signal } = run;
  const held = await inventoriesOf(new Map([...peers].filter(([name]) => !silent.has(name))));
  const ownMarks = new OwnMarks(peers, self);
  /** Peers that fell silent since: nothing more is read from them, as each try costs time-outs. */
  const fallen = new Set<string>();
  const peersOf = new Map<string, string[]>();
  const damaged = new Set<string>();
  let found = 0;
  for (const holding of holdingsOf(index)) {
    const { cid, label, shards, snapshots } = holding;
    const has = holding.peers.filter((name) => held.get(name)?.has(cid));
    const least = leastReplicas(demands.ofUsers(holding).replication, peers);
    const others = [...held].flatMap(([name, cids]) => (cids.has(cid) && !holding.peers.includes(name) ? [name] : []));
    const counted: string[] = [];
    for (const name of others.filter((other) => !fallen.has(other))) {
      if (has.length + counted.length >= least && !(await ownMarks.on(name)).has(cid)) continue;
      signal.throwIfAborted();
      const state = await readWhole(run, holding, peerNamed(peers, name));
      if (state === 'silent') fallen.add(name);
      if (state === 'silent' || state === 'unproven' || (state === 'damaged' && has.length + counted.length > 0)) continue;
      if (state === 'damaged') damaged.add(cid);
      else emit({ type: 'mended', what: `the record of ${label} (${cid})`, where: name });
      counted.push(name);
      found++;
    }
    if (counted.length === 0) continue;
    peersOf.set(cid, counted);
    if (!dryRun) await index.relocate(cid, { shards, snapshots }, [...holding.peers, ...counted]);
  }
  return { found, peersOf, damaged };
}

/** Which shards this home has marked on each peer: asked once. */
class OwnMarks {
  readonly #peers: ReadonlyMap<string, Peer>;
  readonly #self: string;
  readonly #known = new Map<string, Promise<ReadonlySet<string>>>();

  constructor(peers: ReadonlyMap<string, Peer>, self: string) {
    this.#peers = peers;
    this.#self = self;
  }

  /** CIDs; none where the peer does not say. */
  on(name: string): Promise<ReadonlySet<string>> {
    const asked = this.#known.get(name) ?? this.#ask(peerNamed(this.#peers, name));
    this.#known.set(name, asked);
    return asked;
  }

  async #ask(peer: Peer): Promise<ReadonlySet<string>> {
    try {
      const owners = await ownersByShard(peer);
      return new Set([...owners].flatMap(([cid, homes]) => (homes.has(this.#self) ? [cid] : [])));
    } catch (error) {
      if (!(error instanceof ShardctlError)) throw error;
      return new Set();
    }
  }
}

/** Marks the shard before it is read: a shard that no home has marked may be removed at any moment by another home's prune. */
async function readWhole(
  { index, dryRun, signal }: RepairRun,
  { cid, blocks }: Holding,
  peer: Peer,
): Promise<'whole' | 'damaged' | 'silent' | 'unproven'> {
  let isDamaged = false;
  const onDamage = () => {
    isDamaged = true;
  };
  try {
    if (!dryRun) {
      await index.noteStray({ cid, peers: [peer.name] });
      await peer.mark([cid]);
    }
    const { silence, hearsay } = await checkReplica({ cid, blocks }, peer, { readData: true, onDamage, signal });
    if (silence !== undefined) return 'silent';
    if (hearsay !== undefined) return 'unproven';
    return isDamaged ? 'damaged' : 'whole';
  } catch (error) {
    if (!(error instanceof ShardctlError)) throw error;
    return (await silenceOf(peer)) === undefined ? 'unproven' : 'silent';
  }
}
