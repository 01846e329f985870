/**
 * Lets go of copies over the most that any repository asks for. There are such copies when a disk comes back after `repair` has put its
 * shards elsewhere. Before a copy goes, one that stays is read to its end: a peer that says it holds a shard has not looked at its bytes.
 */

import { ShardctlError } from '../../core/errors.ts';
import { hasLoss, leastReplicas, type Metric, mostReplicas } from '../../core/model.ts';
import { peerNamed } from '../../peer/peer.ts';
import { checkReplica } from '../../storing/copy/check-replica.ts';
import { letGo, type Surplus } from '../../storing/copy/let-go.ts';
import type { Holding } from '../../storing/holdings.ts';
import { ownersByShard } from '../../storing/peer-inventory.ts';
import type { Maintenance } from '../maintenance.ts';
import { chooseStaying, type Replica } from './choose-staying.ts';

export type SurplusRun = Pick<Maintenance, 'index' | 'peers' | 'demands' | 'self' | 'emit' | 'signal'>;

/**
 * Decides which copies go. Catalogues stay, because every peer is to have them. What no snapshot needs is left to `prune`. Of a shard that
 * was found damaged on all peers every copy stays, because each may have blocks that the others lack.
 * @param held by the peers' own word: one that is silent holds nothing here
 */
export async function findSurplus(
  run: SurplusRun,
  holdings: readonly Holding[],
  held: ReadonlyMap<string, ReadonlySet<string>>,
): Promise<Surplus[]> {
  const { index, demands, peers, emit, signal } = run;
  const snapshots = index.repositories().flatMap(({ name }) => index.snapshots(name));
  const named = new Set(snapshots.flatMap(({ shards }) => shards));
  const lost = (number: number) => hasLoss(index.shard(number) ?? { state: 'lost' });
  const mostOf = (holding: Holding) => mostReplicas(demands.lasting(holding).replication, peers);
  const having = ({ cid }: Holding) => [...held].flatMap(([name, cids]) => (cids.has(cid) ? [name] : []));
  const suspects = holdings.filter(
    (it) => !it.isCatalogue && it.shards.some((number) => named.has(number)) && !it.shards.some(lost) && having(it).length > mostOf(it),
  );
  const desk = new Desk(run);
  const found: Surplus[] = [];
  for (const [i, holding] of suspects.entries()) {
    signal.throwIfAborted();
    found.push(...(await desk.surplusOf(holding, having(holding), mostOf(holding))));
    emit({ type: 'progress', label: 'surplus', done: i + 1, total: suspects.length, bytes: 0 });
  }
  return found;
}

/** Replicas that were let go of, and the bytes that are free for it; those that peers keep all the same, and those that stay as they were. */
export interface SurplusGone {
  readonly replicas: number;
  readonly bytes: number;
  readonly kept: number;
  readonly left: number;
}

/** What a dry run says: all of the surplus would go. */
export function countSurplus(surplus: readonly Surplus[]): SurplusGone {
  return { replicas: surplus.length, bytes: surplus.reduce((sum, { holding }) => sum + holding.carBytes, 0), kept: 0, left: 0 };
}

/** Copies go one after the other, because two copies of one shard change the same record. */
export async function letGoOf(run: SurplusRun, surplus: readonly Surplus[]): Promise<SurplusGone> {
  const gone: Surplus[] = [];
  let [kept, left] = [0, 0];
  const recorded = new Map<string, Holding>();
  for (const [i, it] of surplus.entries()) {
    run.signal.throwIfAborted();
    const holding = recorded.get(it.holding.cid) ?? it.holding;
    const outcome = await letGo(run, { ...it, holding });
    if (outcome.gone === 'removed') gone.push(it);
    if (outcome.gone === 'kept') kept++;
    if (outcome.gone === 'left') left++;
    recorded.set(holding.cid, { ...holding, peers: outcome.peers });
    run.emit({ type: 'progress', label: 'letting go', done: i + 1, total: surplus.length, bytes: 0 });
  }
  return { ...countSurplus(gone), kept, left };
}

/** What is asked of the peers about single shards, once each. */
class Desk {
  readonly #run: SurplusRun;
  readonly #marks = new Map<string, Promise<ReadonlyMap<string, ReadonlySet<string>> | undefined>>();
  /** Of peers that say nothing of their space: they count as full. */
  readonly #metrics = new Map<string, Promise<Metric | undefined>>();
  /** Bytes that peers are to let go of. */
  readonly #freed = new Map<string, number>();
  /** Peers that fell silent: nothing more is read from them, as each try costs time-outs. */
  readonly #silent = new Set<string>();

  constructor(run: SurplusRun) {
    this.#run = run;
  }

  async surplusOf(holding: Holding, names: readonly string[], most: number): Promise<Surplus[]> {
    const { demands, peers } = this.#run;
    const { replication, allocateBy } = demands.lasting(holding);
    const least = leastReplicas(replication, peers);
    const ours = (await Promise.all(names.map((name) => this.#ofThisHome(holding, name)))).filter((it) => it !== undefined);
    if (ours.length <= most) return [];
    const witnesses = new Map<string, boolean>();
    const replicas: Replica[] = [];
    for (const { name, isShared } of ours) {
      const state = await this.#look(holding, name, false);
      if (state === 'silent') continue;
      if (state === 'whole') witnesses.set(name, false);
      replicas.push(await this.#replica(holding, name, { isShared, isDamaged: state === 'damaged' }));
    }
    const found = await this.#witnessed({ holding, replicas, least, most, allocateBy }, witnesses);
    for (const { from } of found) this.#freed.set(from, (this.#freed.get(from) ?? 0) + holding.carBytes);
    return found;
  }

  /** @param witnesses peers whose bytes can be read, and whether that was done */
  async #witnessed(
    request: Omit<Parameters<typeof chooseStaying>[0], 'witness'> & { readonly holding: Holding },
    witnesses: Map<string, boolean>,
  ): Promise<Surplus[]> {
    const { holding } = request;
    let { replicas } = request;
    for (let witness: string | undefined; ; ) {
      const { stay, go } = chooseStaying({ ...request, replicas, witness });
      if (go.length === 0) return [];
      const names = stay.map(({ name }) => name);
      const readable = [...names, ...go.map(({ name }) => name)].filter((name) => witnesses.has(name));
      const reader = readable.find((name) => witnesses.get(name)) ?? readable[0];
      // Where nobody can be read, as in a Cluster that is known by its REST API alone, their word is all there is.
      if (reader === undefined || (witnesses.get(reader) && names.includes(reader))) {
        return go.map(({ name }) => ({ holding, from: name, stay: stay.filter((it) => !it.isDamaged).map((it) => it.name) }));
      }
      const state = witnesses.get(reader) ? 'whole' : await this.#look(holding, reader, true);
      if (state === 'whole') {
        witnesses.set(reader, true);
        witness = reader;
      } else {
        witnesses.delete(reader);
        replicas = replicas.filter(({ name }) => state !== 'silent' || name !== reader);
        if (state === 'damaged') replicas = replicas.map((it) => (it.name === reader ? { ...it, isDamaged: true } : it));
      }
    }
  }

  /** Undefined for a copy that no record names and that this home has not marked: it is somebody else's. */
  async #ofThisHome({ cid, peers }: Holding, name: string): Promise<{ readonly name: string; readonly isShared: boolean } | undefined> {
    const { self } = this.#run;
    const marks = await this.#marksOn(name);
    // If the peer cannot say whose marks it has, the copy stays.
    if (marks === undefined) return peers.includes(name) ? { name, isShared: true } : undefined;
    const owners = marks.get(cid) ?? new Set();
    const isShared = [...owners].some((owner) => owner !== self);
    return peers.includes(name) || (owners.has(self) && !isShared) ? { name, isShared } : undefined;
  }

  async #replica({ peers: recorded }: Holding, name: string, state: Pick<Replica, 'isShared' | 'isDamaged'>): Promise<Replica> {
    const { tags = {}, reserve = 0, weight = 1, drained = false } = this.#run.peers.get(name) ?? {};
    const { freeBytes = 0, usedBytes = 1 } = (await this.#metricOf(name)) ?? {};
    const freed = this.#freed.get(name) ?? 0;
    return {
      ...{ name, tags, weight, ...state },
      isRecorded: recorded.includes(name),
      isDrained: drained,
      usedBytes: Math.max(0, usedBytes - freed),
      freeBytes: freeBytes + freed,
      reserveBytes: reserve,
      ...{ promisedBytes: 0, givenBytes: 0, phase: 0, lagging: false },
    };
  }

  /** `said`: it has the shard by its own word, and its bytes cannot be had from it. */
  async #look({ cid, blocks, label }: Holding, name: string, readData: boolean): Promise<'whole' | 'said' | 'damaged' | 'silent'> {
    const { peers, emit, signal } = this.#run;
    if (this.#silent.has(name)) return 'silent';
    let isDamaged = false;
    const onDamage = (detail: string) => {
      isDamaged = true;
      emit({ type: 'damage', what: `${label} ${cid}`, where: name, detail });
    };
    const { silence, hearsay } = await checkReplica({ cid, blocks }, peerNamed(peers, name), { readData, onDamage, signal });
    if (silence !== undefined) this.#silent.add(name);
    if (silence !== undefined) return 'silent';
    if (isDamaged) return 'damaged';
    return hearsay === undefined ? 'whole' : 'said';
  }

  #marksOn(name: string): Promise<ReadonlyMap<string, ReadonlySet<string>> | undefined> {
    return once(this.#marks, name, () => ownersByShard(peerNamed(this.#run.peers, name)));
  }

  #metricOf(name: string): Promise<Metric | undefined> {
    return once(this.#metrics, name, async () => await this.#run.peers.get(name)?.metric());
  }
}

/** @returns undefined when the peer does not say */
function once<T>(known: Map<string, Promise<T | undefined>>, name: string, ask: () => Promise<T>): Promise<T | undefined> {
  const asked =
    known.get(name) ??
    ask().catch((error: unknown) => {
      if (error instanceof ShardctlError) return undefined;
      throw error;
    });
  known.set(name, asked);
  return asked;
}
