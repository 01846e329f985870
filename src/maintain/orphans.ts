/**
 * Tells which homes share the peers, and removes orphans: shards that no home has marked, and those marked only by a home that the
 * user says is dead. On a Kubo daemon or an IPFS Cluster a pin without a mark may belong to anybody, so it stays.
 */
import { ShardctlError } from '../core/errors.ts';
import { type Emit, peerWarning } from '../core/events.ts';
import type { Index } from '../index/index.ts';
import { type Peer, type PeerOwner, peerNamed } from '../peer/peer.ts';
import { holdingsOf } from '../storing/holdings.ts';
import { inventoriesOf, ownersByShard } from '../storing/peer-inventory.ts';

/** A home on one peer. */
export interface Neighbour extends PeerOwner {
  readonly peer: string;
  /** Whether it is this home. */
  readonly isThis: boolean;
  /** Shards that it has marked, and those of them that no other home has. */
  readonly shards: number;
  readonly alone: number;
}

/** The homes that have marked something on each of these peers. A peer that does not answer is reported. @param self ID of this home */
export async function neighboursOn(peers: ReadonlyMap<string, Peer>, self: string, emit: Emit): Promise<Neighbour[]> {
  const all = await Promise.all(
    [...peers].map(async ([name, peer]): Promise<Neighbour[]> => {
      try {
        const ownersOf = await ownersByShard(peer);
        return (await peer.owners()).flatMap((owner) => {
          const its = [...ownersOf.values()].filter((owners) => owners.has(owner.id));
          const alone = its.filter((owners) => owners.size === 1).length;
          return its.length === 0 ? [] : [{ ...owner, peer: name, isThis: owner.id === self, shards: its.length, alone }];
        });
      } catch (error) {
        if (!(error instanceof ShardctlError)) throw error;
        emit(peerWarning(name, 'cannot be asked who uses it', error));
        return [];
      }
    }),
  );
  return all.flat();
}

export interface OrphansRun {
  readonly index: Index;
  readonly peers: ReadonlyMap<string, Peer>;
  /** ID of this home. */
  readonly self: string;
  /** ID of a home that is dead: what only it has marked is an orphan. Undefined: what no home has marked. */
  readonly dead: string | undefined;
  /** Only say what would be done. */
  readonly dryRun: boolean;
  readonly emit: Emit;
  readonly signal: AbortSignal;
}

export interface Orphans {
  readonly dryRun: boolean;
  readonly neighbours: readonly Neighbour[];
  /** By peer: shards that are, or are to be, freed, and those that stay because living homes count on them. */
  readonly peers: readonly { readonly peer: string; readonly freed: number; readonly kept: number }[];
}

/** @throws ShardctlError `USAGE` when the dead home is this one */
export async function orphans(run: OrphansRun): Promise<Orphans> {
  const { peers, self, dead, dryRun, emit, signal } = run;
  if (dead === self) throw new ShardctlError('USAGE', `home ${self} is this one, and alive`);
  const neighbours = await neighboursOn(peers, self, emit);
  if (dead !== undefined && !neighbours.some(({ id }) => id === dead)) {
    throw new ShardctlError('NOT_FOUND', `no home ${dead} has marked anything on these peers`, {
      hint: 'run `shardctl prune --orphans` to see the homes that have',
    });
  }
  const own = new Set([...holdingsOf(run.index), ...run.index.strays()].map(({ cid }) => cid));
  const held = await inventoriesOf(peers);
  const counts: Orphans['peers'][number][] = [];
  for (const [name, cids] of held) {
    const peer = peerNamed(peers, name);
    const ownersOf = await ownersByShard(peer);
    let [freed, kept] = [0, 0];
    const candidates =
      dead === undefined ? (peer.kind === 'local' ? cids : []) : [...ownersOf].flatMap(([cid, ids]) => (ids.has(dead) ? [cid] : []));
    for (const cid of candidates) {
      signal.throwIfAborted();
      const others = [...(ownersOf.get(cid) ?? [])].filter((id) => id !== dead);
      if (dead === undefined && (others.length > 0 || own.has(cid))) continue;
      const outcome = dryRun ? (others.length > 0 ? 'kept' : 'removed') : await peer.remove(cid, dead);
      if (outcome === 'kept') kept++;
      else freed++;
    }
    counts.push({ peer: name, freed, kept });
  }
  return { dryRun, neighbours, peers: counts };
}
