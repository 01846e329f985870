/**
 * What is asked of the peers for each shard: how many of them must have it, and which. A repository asks this for its own snapshots, and
 * remembers what it was told; the home's settings decide the rest. For a shard that several repositories need, the largest of their
 * demands counts.
 */

import type { Replication, RepositoryRecord, ShardUsers } from '../core/model.ts';
import { NumberMap } from '../core/number-map.ts';
import type { Index } from '../index/index.ts';

export interface Demand {
  readonly replication: Replication;
  /** Names of allocators, in the order in which they decide. */
  readonly allocateBy: readonly string[];
}

/** The part of a demand that somebody has stated: a repository's record, or the options of a command. */
export type ToldDemand = { readonly [Field in keyof Demand]?: Demand[Field] | undefined };

/** What a repository asks for: what it is told now, else what it was told before. */
export function ownDemand(known: RepositoryRecord | undefined, told: ToldDemand): Partial<Demand> {
  const replication = told.replication ?? known?.replication;
  const allocateBy = told.allocateBy ?? known?.allocateBy;
  return { ...(replication === undefined ? {} : { replication }), ...(allocateBy === undefined ? {} : { allocateBy }) };
}

/** A repository, and what it asks for in this run. */
export interface Asking {
  readonly index: Index;
  readonly repository: string;
  readonly ownDemand: Partial<Demand>;
}

/** Whether the repository is told another number of replicas than it remembers: then all of its shards may need more, not only new ones. */
export function asksOtherwise({ index, repository, ownDemand: { replication } }: Asking): boolean {
  const known = index.repository(repository);
  return known !== undefined && JSON.stringify(known.replication) !== JSON.stringify(replication);
}

export interface DemandOptions {
  /** Holds for repositories that were told nothing, and for shards that no snapshot needs. */
  readonly home: Demand;
  /** From the command line: it replaces what the repositories and the home say, in this run alone. */
  readonly told?: ToldDemand;
}

export class Demands {
  readonly #index: Index;
  readonly #home: Demand;
  readonly #told: ToldDemand;
  #users: Users | undefined;

  constructor(index: Index, { home, told = {} }: DemandOptions) {
    this.#index = index;
    this.#home = home;
    this.#told = told;
  }

  /** What these repositories ask for together; what the home asks for when there are none. */
  of(repositories: Iterable<string>): Demand {
    return this.#together(repositories, this.#told);
  }

  ofShard(number: number): Demand {
    return this.of(this.#usersOf(number));
  }

  /** What is asked for the shard or catalogue that these records and snapshots stand for. */
  ofUsers(users: ShardUsers): Demand {
    return this.of(this.#needing(users));
  }

  /** As `ofUsers`, for half a million one after the other: what a repository asks for is looked up once, so nobody may change it meanwhile. */
  ofEach(): (users: ShardUsers) => Demand {
    const known = new Map<string, Demand>();
    return (users) => {
      const needing = this.#needing(users);
      const key = needing.join('\0');
      const demand = known.get(key) ?? this.of(needing);
      known.set(key, demand);
      return demand;
    };
  }

  /** Whether a snapshot needs the shard. */
  isNeeded(number: number): boolean {
    return this.#usersOf(number).length > 0;
  }

  /**
   * As `of`, for commands that remove copies: the options of the command line can raise the number of replicas here, never lower it.
   * They count for this run alone, so a copy that was removed because of them would be missing right after it.
   */
  lastingOf(repositories: Iterable<string>): Demand {
    const needing = [...repositories];
    const { replication, allocateBy } = this.of(needing);
    return { replication: larger(this.#together(needing, {}).replication, replication), allocateBy };
  }

  /** As `lastingOf`, for the shard or catalogue that these records and snapshots stand for. */
  lasting(users: ShardUsers): Demand {
    return this.lastingOf(this.#needing(users));
  }

  #needing({ shards, snapshots }: ShardUsers): string[] {
    return [...shards.flatMap((number) => this.#usersOf(number)), ...snapshots.map(([repository]) => repository)];
  }

  #together(repositories: Iterable<string>, told: ToldDemand): Demand {
    const own = [...new Set(repositories)].sort().map((name) => this.#index.repository(name));
    const all = own.length === 0 ? [this.#home] : own.map((known) => ({ ...this.#home, ...ownDemand(known, {}) }));
    return {
      replication: told.replication ?? all.map(({ replication }) => replication).reduce(larger),
      allocateBy: told.allocateBy ?? together(all.map(({ allocateBy }) => allocateBy)),
    };
  }

  /** Collected at the first question and not renewed. */
  #usersOf(number: number): readonly string[] {
    this.#users ??= usersOf(this.#index);
    return this.#users.lists[this.#users.listOf.get(number) ?? 0] ?? [];
  }
}

/** Which repositories need a shard. A home has few different lists of them, and may have half a million shards. */
interface Users {
  /** The first is empty. */
  readonly lists: readonly (readonly string[])[];
  /** By the shard's number, which of the lists. */
  readonly listOf: NumberMap;
}

function usersOf(index: Index): Users {
  const lists: (readonly string[])[] = [[]];
  const listOf = new NumberMap();
  for (const { name } of index.repositories()) {
    const withName = new Map<number, number>();
    const added = (list: number): number => {
      const longer = withName.get(list) ?? lists.push([...(lists[list] ?? []), name]) - 1;
      withName.set(list, longer);
      return longer;
    };
    for (const { shards } of index.eachSnapshot(name)) {
      for (const number of shards) {
        const known = listOf.get(number) ?? 0;
        if (lists[known]?.at(-1) !== name) listOf.set(number, added(known));
      }
    }
  }
  return { lists, listOf };
}

/** -1 means every peer, which is more than any number. */
function larger(a: Replication, b: Replication): Replication {
  const most = (one: number, other: number) => (one < 0 || other < 0 ? -1 : Math.max(one, other));
  return { min: most(a.min, b.min), max: most(a.max, b.max) };
}

const PINNED = 'pinned-to:';

/**
 * The allocators of several repositories as one list: first all rules (`pinned-to`, `prefer`, `tag`), in the order of the repositories,
 * then all that share out by free space or weight. Such a one ranks any two peers, so a rule behind it would never decide. Where several
 * repositories say `pinned-to`, the peers that all of them name are allowed; if there is none, the peers that any of them names, because
 * the shard must be somewhere.
 */
function together(lists: readonly (readonly string[])[]): readonly string[] {
  const [first = [], ...others] = lists;
  if (others.every((list) => list.join() === first.join())) return first;
  const names = [...new Set(lists.flat())];
  const pinned = names.filter((name) => name.startsWith(PINNED)).map((name) => name.slice(PINNED.length).split('+'));
  const common = pinned.reduce((some, list) => some.filter((peer) => list.includes(peer)), pinned[0] ?? []);
  const only = common.length > 0 ? common : [...new Set(pinned.flat())];
  const isRule = (name: string) => name.includes(':');
  return [
    ...(only.length > 0 ? [`${PINNED}${only.join('+')}`] : []),
    ...names.filter((name) => isRule(name) && !name.startsWith(PINNED)),
    ...names.filter((name) => !isRule(name)),
  ];
}
