/**
 * What the status page and the metrics tell of the home. Computed in the background, when a run has changed the home and every half
 * minute, a few milliseconds at a time, so that neither a request nor a scrape ever waits for a peer, nor for 100,000 shards.
 */
import { setImmediate as breathe } from 'node:timers/promises';
import { messageOf } from '../../core/errors.ts';
import type { Metric, SnapshotRecord } from '../../core/model.ts';
import { endsWithin } from '../../core/waiting.ts';
import { parseCid } from '../../dag/cid.ts';
import {
  failureOf,
  MAINTENANCE,
  type MaintenanceCommand,
  type MaintenanceRecord,
  maintenanceRecord,
  type UpdateRecord,
  updateRecords,
} from '../../home/runs/records.ts';
import { heldBackIn, type PeerFigures, type ShardFigures, shardFigures } from '../../maintain/figures/home-readings.ts';
import type { Peer } from '../../peer/peer.ts';
import type { Mirror, MirrorView, ServedRepository } from '../mirror.ts';
import { kindOf, type RepositoryKind } from './repository-kind.ts';
import { SHARDS_AT_ONCE, shardsByPeer } from './shards-by-peer.ts';
import type { StatusSource } from './status-source.ts';

/** A snapshot as the plot shows it. */
export interface SnapshotPoint {
  readonly number: number;
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly files: number;
  readonly bytes: number;
  /** Bytes of its shards that the snapshot before it did not need. */
  readonly newBytes: number;
}

export interface RepositoryState {
  readonly name: string;
  readonly head: SnapshotRecord;
  readonly figures: ShardFigures;
  /** How many are kept. */
  readonly snapshots: number;
  /** How many newer ones the gate holds back. */
  readonly heldBack: number;
  /** The newest of them, oldest first. */
  readonly points: readonly SnapshotPoint[];
  readonly kind: RepositoryKind;
  readonly runs: readonly UpdateRecord[];
  /** The last run, if it has failed. */
  readonly failure: UpdateRecord | undefined;
}

export interface PeerState extends PeerFigures {
  /** Why it has not answered. */
  readonly error?: string;
}

/** The last run of a command that cares for the home. */
export type MaintenanceState = readonly [MaintenanceCommand, MaintenanceRecord];

export interface HomeState {
  /** Goes up by one with each change. */
  readonly version: number;
  readonly repositories: readonly RepositoryState[];
  readonly peers: readonly PeerState[];
  readonly maintenance: readonly MaintenanceState[];
  readonly lastLocked: number | undefined;
  /** Whether a block could be read when that was last tried; undefined before the first try. */
  readonly isReadable: boolean | undefined;
}

const EVERY_MS = 30_000;
/** A peer that takes longer is told of as silent, until it answers. */
const PATIENCE_MS = 10_000;
const MOST_POINTS = 90;

export class HomeStates {
  readonly #mirror: Mirror;
  readonly #source: StatusSource;
  readonly #signal: AbortSignal;
  readonly #onTrouble: ((message: string, cause: string) => void) | undefined;
  /** The state cannot be computed, and that was told. */
  #isTold = false;
  readonly #listeners = new Set<() => void>();
  /** New bytes of snapshots, by CID: they do not change. */
  readonly #newBytes = new Map<string, number>();
  readonly #kinds = new Map<string, RepositoryKind>();
  readonly #metrics = new Map<string, { metric: Metric } | { error: string }>();
  /** Peers that were asked and have not answered yet: they are not asked again before that. */
  readonly #asked = new Set<string>();
  #state: HomeState = {
    version: 0,
    repositories: [],
    peers: [],
    maintenance: [],
    lastLocked: undefined,
    isReadable: undefined,
  };
  #text = '';
  #computing: Promise<void> | undefined;
  #again = false;
  #turn = 0;

  /** @param signal ends it */
  constructor(mirror: Mirror, source: StatusSource, signal: AbortSignal, onTrouble?: (message: string, cause: string) => void) {
    this.#mirror = mirror;
    this.#source = source;
    this.#signal = signal;
    this.#onTrouble = onTrouble;
    const end = mirror.onChange(() => this.refresh());
    const timer = setInterval(() => this.refresh(), EVERY_MS).unref();
    signal.addEventListener('abort', () => {
      clearInterval(timer);
      end();
    });
    this.refresh();
  }

  /** The newest that is known. */
  get state(): HomeState {
    return this.#state;
  }

  /** Calls `listener` after each change. @returns ends that */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Resolves when what is true now is known. */
  async settled(): Promise<void> {
    while (this.#computing !== undefined) await this.#computing;
  }

  /** Computes it anew, and once more if it was being computed. */
  refresh(): void {
    this.#again = true;
    this.#computing ??= this.#computeAll().finally(() => {
      this.#computing = undefined;
    });
  }

  async #computeAll(): Promise<void> {
    while (this.#again) {
      this.#again = false;
      const view = this.#mirror.acquire();
      try {
        await this.#compute(view);
        this.#isTold = false;
      } catch (error) {
        // The view may be closed under a server that stops; otherwise it is tried again, and told once.
        if (!this.#isTold && !this.#signal.aborted) this.#onTrouble?.(`cannot find out how the home stands: ${messageOf(error)}`, 'status');
        this.#isTold = true;
      } finally {
        this.#mirror.release(view);
      }
    }
  }

  async #compute(view: MirrorView): Promise<void> {
    const asking = [...view.peers.values()].map((peer) => this.#ask(peer));
    const repositories: RepositoryState[] = [];
    for (const repository of view.repositories.values()) {
      repositories.push(await this.#repository(view, repository));
      await breathe();
    }
    this.#forgetOld(view);
    const shards = await shardsByPeer(view);
    await Promise.all(asking);
    const { runs } = this.#source;
    const state = {
      repositories,
      peers: [...view.peers.values()].map((peer) => this.#peer(peer, shards.get(peer.name) ?? 0)),
      maintenance: MAINTENANCE.flatMap((command) => {
        const record = maintenanceRecord(runs, command);
        return record === undefined ? [] : [[command, record] as const];
      }),
      lastLocked: this.#source.lastLocked(),
      isReadable: await this.#read(view),
    };
    const text = signatureOf(state);
    if (text === this.#text) return;
    this.#text = text;
    this.#state = { version: this.#state.version + 1, ...state };
    for (const listener of this.#listeners) listener();
  }

  async #repository(view: MirrorView, { name, head, snapshots }: ServedRepository): Promise<RepositoryState> {
    const { runs } = this.#source;
    const figures = await shardFigures({ index: view.index, peers: view.peers, demand: this.#source.demand() }, head);
    const first = Math.max(0, snapshots.length - MOST_POINTS);
    const points: SnapshotPoint[] = [];
    for (const [at, snapshot] of snapshots.slice(first).entries()) {
      const { number, time, counts, bytes } = snapshot;
      const newBytes = await this.#newBytesOf(view, snapshots[first + at - 1], snapshot);
      points.push({ number, time: Date.parse(time), files: counts.files, bytes, newBytes });
    }
    return {
      name,
      head,
      figures,
      snapshots: snapshots.length,
      heldBack: heldBackIn(view.index, name),
      points,
      kind: await this.#kind(view, head),
      runs: updateRecords(runs, name),
      failure: failureOf(runs, name),
    };
  }

  async #newBytesOf({ index }: MirrorView, before: SnapshotRecord | undefined, { cid, shards }: SnapshotRecord): Promise<number> {
    const known = this.#newBytes.get(cid);
    if (known !== undefined) return known;
    const old = new Set(before?.shards);
    let bytes = 0;
    for (const [at, number] of shards.entries()) {
      if (!old.has(number)) bytes += index.shard(number)?.bytes ?? 0;
      if (at % SHARDS_AT_ONCE === 0) await breathe();
    }
    this.#newBytes.set(cid, bytes);
    return bytes;
  }

  async #kind({ blocks }: MirrorView, { tree }: SnapshotRecord): Promise<RepositoryKind> {
    const known = this.#kinds.get(tree);
    if (known !== undefined) return known;
    try {
      const kind = await kindOf(parseCid(tree), blocks);
      this.#kinds.set(tree, kind);
      return kind;
    } catch {
      // Its blocks cannot be read now: asked again in the next turn.
      return { tool: undefined };
    }
  }

  #forgetOld(view: MirrorView): void {
    const snapshots = [...view.repositories.values()].flatMap((repository) => repository.snapshots);
    keep(this.#newBytes, new Set(snapshots.map(({ cid }) => cid)));
    keep(this.#kinds, new Set(snapshots.map(({ tree }) => tree)));
    keep(this.#metrics, new Set(view.peers.keys()));
  }

  /** Resolves when the peer has answered, or has taken too long; its answer counts whenever it comes. */
  async #ask(peer: Peer): Promise<void> {
    const { name } = peer;
    if (this.#asked.has(name)) return;
    this.#asked.add(name);
    const answered = peer
      .metric()
      .then(
        (metric) => this.#metrics.set(name, { metric }),
        (error: unknown) => this.#metrics.set(name, { error: messageOf(error) }),
      )
      .finally(() => this.#asked.delete(name));
    if (await endsWithin(PATIENCE_MS, answered)) return;
    this.#metrics.set(name, { error: `it has not answered for ${PATIENCE_MS / 1000} s` });
  }

  #peer({ name, kind, tags, drained }: Peer, shards: number): PeerState {
    const answer = this.#metrics.get(name);
    const known = { name, kind, tags, shards, drained: drained === true };
    if (answer === undefined) return { ...known, metric: undefined };
    if ('error' in answer) return { ...known, metric: undefined, error: answer.error };
    const { usedBytes, freeBytes, disk } = answer.metric;
    return { ...known, metric: { usedBytes, freeBytes, ...(disk === undefined ? {} : { disk }) } };
  }

  /** Whether the root of a tree can be read: of another repository each time. */
  async #read({ repositories, blocks }: MirrorView): Promise<boolean> {
    const all = [...repositories.values()];
    const repository = all[this.#turn % Math.max(1, all.length)];
    this.#turn += 1;
    if (repository === undefined) return true;
    try {
      return await endsWithin(PATIENCE_MS, blocks.read(parseCid(repository.head.tree).digest));
    } catch {
      return false;
    }
  }
}

/** What two states differ in, as text, where they differ. Lists of shards are not in it: a snapshot's CID stands for them. */
function signatureOf({ repositories, ...state }: Omit<HomeState, 'version'>): string {
  const each = repositories.map(({ name, head, figures, snapshots, heldBack, kind, runs, failure }) => [
    [name, head.cid, head.time, snapshots, heldBack],
    [figures, kind, runs.length, runs.at(-1), failure],
  ]);
  return JSON.stringify([state, each]);
}

function keep(map: Map<string, unknown>, keys: ReadonlySet<string>): void {
  for (const key of map.keys()) if (!keys.has(key)) map.delete(key);
}
