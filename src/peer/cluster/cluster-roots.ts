/**
 * The roots for which strangers look, each pinned by itself. A snapshot has two, both small blocks, so they are pinned on every member, on
 * those that join later too. The metadata of the pin say which repositories want it, because two of them may have the same tree.
 */
import { setImmediate } from 'node:timers/promises';
import type { KeyedMutex } from '../keyed-mutex.ts';
import type { ClusterApi, PinOptions } from './api.ts';

const WANTED_BY = 'shardctl-root-';

export function isRoot(metadata: Readonly<Record<string, string>>): boolean {
  return Object.keys(metadata).some((key) => key.startsWith(WANTED_BY));
}

/** Members ask for the same roots at the same time: that becomes one request to the Cluster. */
interface Round {
  /** By member ID. */
  readonly wanted: Map<string, readonly string[]>;
  readonly done: Promise<void>;
}

export class ClusterRoots {
  readonly #api: ClusterApi;
  readonly #pinMutex: KeyedMutex;
  readonly #owner: string;
  readonly #rounds = new Map<string, Round>();
  #keeping: Promise<void> | undefined;

  /** @param owner ID of this home, which stands in the metadata of its roots */
  constructor(api: ClusterApi, pinMutex: KeyedMutex, owner: string) {
    this.#api = api;
    this.#pinMutex = pinMutex;
    this.#owner = owner;
  }

  /**
   * Has the Cluster pin these roots for the repository, in place of its former ones. Each member asks for itself. The Cluster keeps roots
   * as long as one member wants some, so an empty list has an effect only when all `members` of them ask with one.
   */
  async pin(repository: string, cids: readonly string[], member: string, members: number): Promise<void> {
    let round = this.#rounds.get(repository);
    if (round === undefined) {
      const wanted = new Map<string, readonly string[]>();
      const done = setImmediate().then(async () => {
        this.#rounds.delete(repository);
        const all = [...new Set([...wanted.values()].flat())];
        if (all.length > 0 || wanted.size === members) await this.#set(repository, all);
      });
      round = { wanted, done };
      this.#rounds.set(repository, round);
    }
    round.wanted.set(member, cids);
    await round.done;
  }

  /** Has the Cluster unpin the roots of all other repositories of this home. When several members ask at the same time it is done once. */
  async keepOnly(repositories: ReadonlySet<string>): Promise<void> {
    this.#keeping ??= this.#dropOthers(repositories).finally(() => {
      this.#keeping = undefined;
    });
    await this.#keeping;
  }

  async #dropOthers(repositories: ReadonlySet<string>): Promise<void> {
    const own = `${WANTED_BY}${this.#owner}-`;
    const others = new Set<string>();
    for await (const { metadata } of this.#api.pins())
      for (const key of Object.keys(metadata)) if (key.startsWith(own)) others.add(key.slice(own.length));
    for (const name of others) if (!repositories.has(name)) await this.#set(name, []);
  }

  async #set(repository: string, cids: readonly string[]): Promise<void> {
    const key = `${WANTED_BY}${this.#owner}-${repository}`;
    const old: string[] = [];
    for await (const { cid, metadata } of this.#api.pins()) if (key in metadata && !cids.includes(cid)) old.push(cid);
    for (const cid of cids) await this.#pinMutex.withLock(cid, () => this.#add(cid, key, repository));
    for (const cid of old) await this.#pinMutex.withLock(cid, () => this.#drop(cid, key));
  }

  async #add(cid: string, key: string, repository: string): Promise<void> {
    const pin = await this.#api.pin(cid);
    // Somebody has pinned it with everything below it, which is more than is asked for here.
    if (pin !== undefined && (pin.mode !== 'direct' || key in pin.metadata)) return;
    await this.#api.pinDirect(cid, optionsOf({ ...pin?.metadata, [key]: repository }));
  }

  async #drop(cid: string, key: string): Promise<void> {
    const pin = await this.#api.pin(cid);
    if (pin === undefined || pin.mode !== 'direct') return;
    const { [key]: _, ...others } = pin.metadata;
    if (isRoot(others)) await this.#api.pinDirect(cid, optionsOf(others));
    else await this.#api.unpin(cid);
  }
}

function optionsOf(metadata: Readonly<Record<string, string>>): PinOptions {
  const repositories = Object.entries(metadata).flatMap(([key, value]) => (key.startsWith(WANTED_BY) ? [value] : []));
  return { name: `root of ${repositories.sort().join(', ')}`.slice(0, 200), metadata, members: 'everywhere' };
}
