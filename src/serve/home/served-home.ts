/**
 * The home that is served, in views: when a run has changed the home it is opened again, beside the view that requests have, and the
 * next request gets the new one. A home that cannot be opened at a moment, because a run is just writing it, is tried again; until then
 * the view before it answers.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf, ShardctlError } from '../../core/errors.ts';
import { isHeld } from '../../core/model.ts';
import type { Index } from '../../index/index.ts';
import type { Peer } from '../../peer/peer.ts';
import { Replicas } from '../../read/stored/replicas.ts';
import type { Mirror, MirrorView, ServedRepository } from '../mirror.ts';
import { CountedViews } from './counted-views.ts';
import { HomeChanges, lookNow, type WatchedHome } from './home-changes.ts';
import { ViewBlocks } from './view-blocks.ts';

/** Peers that are open. */
export interface OpenPeers {
  readonly peers: ReadonlyMap<string, Peer>;
  close(): Promise<void>;
}

export interface ServedHomeOptions {
  /** Opens the index for reading. */
  readonly openIndex: () => Promise<Index>;
  /** Opens the peers that the settings name now. */
  readonly openPeers: () => Promise<OpenPeers>;
  /** Where to look for changes. */
  readonly home: WatchedHome;
  /** Names of the repositories that are served; all when empty. */
  readonly names: readonly string[];
  /** Directory for what is computed once of each shard. */
  readonly cache: string;
  readonly onTrouble: (message: string, cause: string, peer?: string) => void;
  /** Told of replicas that cannot be read, as `Replicas` does it. [onTrouble] */
  readonly onReplicaTrouble?: (message: string, cause: string, peer: string) => void;
}

/** At its start a server waits so long for an index that another run is writing. */
const STARTS = 20;
const START_PAUSE_MS = 250;
/** So many looks in a row must fail before anybody is told: by then no run is just writing. */
const QUIET_FAILURES = 6;

export class ServedHome implements Mirror {
  readonly #options: ServedHomeOptions;
  readonly #views: CountedViews<HomeView>;
  readonly #listeners = new Set<(view: MirrorView) => void>();
  #peers: CountedPeers;
  #changes: HomeChanges | undefined;
  /** The opening that is under way or was the last one. */
  #opening: Promise<void> = Promise.resolve();
  /** The opening that has not begun yet: whoever wants one meanwhile has it, too. */
  #nextOpening: Promise<void> | undefined;
  /** What the heads looked like before the last opening. */
  #heads = '';
  /** The heads were compared since the event loop has last asked the system what has come. */
  #isCompared = false;
  /** In a row. */
  #failures = 0;
  #retry: NodeJS.Timeout | undefined;
  #mustOpenPeers = false;
  #isClosed = false;

  static async open(options: ServedHomeOptions): Promise<ServedHome> {
    const peers = new CountedPeers(await options.openPeers(), options);
    let changes: HomeChanges | undefined;
    try {
      // The watch begins first: what a run writes while the home is opened is news.
      let home: ServedHome | undefined;
      changes = await HomeChanges.watch(options.home, async ({ settings }) => await home?.renew(settings));
      const heads = lookNow(options.home.heads);
      home = new ServedHome(options, peers, await startedIndex(options));
      home.#changes = changes;
      home.#heads = heads;
      return home;
    } catch (error) {
      changes?.close();
      await peers.leave();
      throw error;
    }
  }

  private constructor(options: ServedHomeOptions, peers: CountedPeers, index: Index) {
    this.#options = options;
    this.#peers = peers;
    this.#views = new CountedViews(this.#viewOf(index), (view) => {
      const tell = (error: unknown) => options.onTrouble(`cannot close a view of the home: ${messageOf(error)}`, 'home');
      void view.close().catch(tell);
    });
  }

  get newest(): MirrorView {
    return this.#views.newest;
  }

  acquire(): MirrorView {
    return this.#views.acquire();
  }

  release(view: MirrorView): void {
    this.#views.release(view as HomeView);
  }

  onChange(listener: (view: MirrorView) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /**
   * Opens the home again. Never fails: the view before stays where that is not possible.
   * @param peers whether the settings are read again, too
   */
  async renew(peers = true): Promise<void> {
    this.#mustOpenPeers ||= peers;
    this.#nextOpening ??= this.#opening.then(() => {
      this.#nextOpening = undefined;
      return this.#open();
    });
    this.#opening = this.#nextOpening;
    await this.#opening;
  }

  catchUp(): Promise<void> | undefined {
    // Requests that were there when the first of them was looked at were sent before: none can know of a newer head.
    if (this.#isCompared) return undefined;
    if (lookNow(this.#options.home.heads) !== this.#heads) return this.renew(false);
    this.#isCompared = true;
    setImmediate(this.#compareAgain);
    return undefined;
  }

  readonly #compareAgain = () => {
    this.#isCompared = false;
  };

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#changes?.close();
    await this.#opening;
    this.#views.closeAll();
    await this.#peers.leave();
  }

  async #open(): Promise<void> {
    if (this.#isClosed) return;
    clearTimeout(this.#retry);
    // Also when it fails: that it is tried again is no matter of each request.
    this.#heads = lookNow(this.#options.home.heads);
    try {
      if (this.#mustOpenPeers) {
        const opened = new CountedPeers(await this.#options.openPeers(), this.#options);
        const before = this.#peers;
        this.#peers = opened;
        this.#mustOpenPeers = false;
        await before.leave();
      }
      this.#views.replace(this.#viewOf(await this.#options.openIndex()));
      this.#failures = 0;
    } catch (error) {
      // The next look tries it again.
      this.#failures++;
      if (this.#failures === QUIET_FAILURES) this.#tell(error);
      this.#retry = setTimeout(() => void this.renew(false), START_PAUSE_MS * Math.min(this.#failures, STARTS)).unref();
      return;
    }
    for (const listener of this.#listeners) listener(this.#views.newest);
  }

  #tell(error: unknown): void {
    this.#options.onTrouble(`cannot open the home again: ${messageOf(error)}; what was there before is served on`, 'home');
  }

  #viewOf(index: Index): HomeView {
    const peers = this.#peers;
    const { replicas } = peers;
    const blocks = new ViewBlocks({ index, replicas, inNewer: (older, read, moved) => this.#inNewer(older, read, moved) });
    try {
      return new HomeView(index, blocks, peers, this.#options.names);
    } catch (error) {
      void index.close();
      throw error;
    }
  }

  readonly #inNewer = async <T>(older: ViewBlocks, read: (newer: ViewBlocks) => Promise<T>, moved: Error): Promise<T> => {
    // Many requests may miss blocks at once: those that come while the home is opened for one of them use that.
    if (this.#views.newest.blocks === older) await this.renew(false);
    const view = this.#views.acquire();
    try {
      if (view.blocks === older) throw moved;
      return await read(view.blocks);
    } finally {
      this.#views.release(view);
    }
  };
}

class HomeView implements MirrorView {
  readonly index: Index;
  readonly blocks: ViewBlocks;
  readonly repositories: ReadonlyMap<string, ServedRepository>;
  readonly #peers: CountedPeers;

  constructor(index: Index, blocks: ViewBlocks, peers: CountedPeers, names: readonly string[]) {
    this.index = index;
    this.blocks = blocks;
    this.repositories = servedIn(index, names);
    this.#peers = peers;
    peers.users++;
  }

  get peers(): ReadonlyMap<string, Peer> {
    return this.#peers.peers;
  }

  async close(): Promise<void> {
    try {
      await this.blocks.close();
      await this.index.close();
      // A run that has removed shards has changed the home last of all.
      await this.#peers.replicas.leaveRemoved();
    } finally {
      // Also of a view that cannot be closed: its peers would stay open for as long as the server runs.
      this.#peers.users--;
      await this.#peers.closeUnused();
    }
  }
}

/** Peers with their replicas, which stay open for as long as they are the newest or a view uses them. */
class CountedPeers {
  readonly peers: ReadonlyMap<string, Peer>;
  readonly replicas: Replicas;
  readonly #close: () => Promise<void>;
  users = 1;

  constructor(opened: OpenPeers, { cache, onTrouble, onReplicaTrouble = onTrouble }: ServedHomeOptions) {
    this.peers = opened.peers;
    this.replicas = new Replicas({ peers: opened.peers, cache, onTrouble: onReplicaTrouble });
    this.#close = () => opened.close();
  }

  /** There are newer ones. */
  async leave(): Promise<void> {
    this.users--;
    await this.closeUnused();
  }

  async closeUnused(): Promise<void> {
    if (this.users > 0) return;
    try {
      await this.replicas.close();
    } finally {
      await this.#close();
    }
  }
}

function servedIn(index: Index, names: readonly string[]): Map<string, ServedRepository> {
  const repositories = new Map<string, ServedRepository>();
  for (const { name, head, tags } of index.repositories()) {
    const newest = index.snapshot(name, head);
    if (newest === undefined || (names.length > 0 && !names.includes(name))) continue;
    repositories.set(name, { name, head: newest, snapshots: index.snapshots(name).filter((snapshot) => !isHeld(snapshot)), tags });
  }
  return repositories;
}

async function startedIndex({ openIndex }: ServedHomeOptions): Promise<Index> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await openIndex();
    } catch (error) {
      if (attempt === STARTS || (error instanceof ShardctlError && error.code === 'NEWER_FORMAT')) throw error;
      await sleep(START_PAUSE_MS);
    }
  }
}
