/**
 * What is asked of the peers for each shard: how many must have it, and who. Each repository asks for its own snapshots, and
 * remembers what it was told; what it was not told the home decides. A shard that several need is held to the most of it.
 */

import type { Replication, RepositoryRecord, ShardUsers } from '../core/model.ts';
import type { Index } from '../index/index.ts';

export interface Demand {
  readonly replication: Replication;
  /** Names of allocators, in the order in which they decide. */
  readonly allocateBy: readonly string[];
}

/** As much of it as somebody has said: a repository's record, or the options of a command. */
export type ToldDemand = { readonly [Field in keyof Demand]?: Demand[Field] | undefined };

/** What a repository asks for itself from now on: what it is told now, else what it was told before. */
export function ownDemand(known: RepositoryRecord | undefined, told: ToldDemand): Partial<Demand> {
  const replication = told.replication ?? known?.replication;
  const allocateBy = told.allocateBy ?? known?.allocateBy;
  return { ...(replication === undefined ? {} : { replication }), ...(allocateBy === undefined ? {} : { allocateBy }) };
}

/** A repository that says what it asks for itself. */
export interface Asking {
  readonly index: Index;
  readonly repository: string;
  readonly ownDemand: Partial<Demand>;
}

/** Whether the repository is told another number of replicas than it remembers: more may be asked of all that it has. */
export function asksOtherwise({ index, repository, ownDemand: { replication } }: Asking): boolean {
  const known = index.repository(repository);
  return known !== undefined && JSON.stringify(known.replication) !== JSON.stringify(replication);
}

export interface DemandOptions {
  /** For repositories that were told nothing, and for what no snapshot needs. */
  readonly home: Demand;
  /** Said on the command line: it counts instead, for everything and for this run alone. */
  readonly told?: ToldDemand;
}

export class Demands {
  readonly #index: Index;
  readonly #home: Demand;
  readonly #told: ToldDemand;
  /** Repositories that need a shard, by its number; as of the first question. */
  #users: Map<number, Set<string>> | undefined;

  constructor(index: Index, { home, told = {} }: DemandOptions) {
    this.#index = index;
    this.#home = home;
    this.#told = told;
  }

  /** What these repositories ask for together; with none, what the home does. */
  of(repositories: Iterable<string>): Demand {
    return this.#together(repositories, this.#told);
  }

  ofShard(number: number): Demand {
    return this.of(this.#usersOf(number));
  }

  /** Of whatever goes by these records: a shard, or a catalogue. */
  ofUsers(users: ShardUsers): Demand {
    return this.of(this.#needing(users));
  }

  /**
   * As `of`, but what is told for this run alone can only ask for more replicas: a copy that is let go of, or not made again, is gone
   * after the run, too.
   */
  lastingOf(repositories: Iterable<string>): Demand {
    const needing = [...repositories];
    const { replication, allocateBy } = this.of(needing);
    return { replication: larger(this.#together(needing, {}).replication, replication), allocateBy };
  }

  /** As `lastingOf`, of whatever goes by these records. */
  lasting(users: ShardUsers): Demand {
    return this.lastingOf(this.#needing(users));
  }

  #needing({ shards, snapshots }: ShardUsers): string[] {
    return [...shards.flatMap((number) => [...this.#usersOf(number)]), ...snapshots.map(([repository]) => repository)];
  }

  #together(repositories: Iterable<string>, told: ToldDemand): Demand {
    const own = [...new Set(repositories)].sort().map((name) => this.#index.repository(name));
    const all = own.length === 0 ? [this.#home] : own.map((known) => ({ ...this.#home, ...ownDemand(known, {}) }));
    return {
      replication: told.replication ?? all.map(({ replication }) => replication).reduce(larger),
      allocateBy: told.allocateBy ?? together(all.map(({ allocateBy }) => allocateBy)),
    };
  }

  #usersOf(number: number): Iterable<string> {
    this.#users ??= usersOf(this.#index);
    return this.#users.get(number) ?? [];
  }
}

function usersOf(index: Index): Map<number, Set<string>> {
  const users = new Map<number, Set<string>>();
  for (const { name } of index.repositories()) {
    for (const number of new Set(index.snapshots(name).flatMap(({ shards }) => shards))) {
      const known = users.get(number);
      if (known === undefined) users.set(number, new Set([name]));
      else known.add(name);
    }
  }
  return users;
}

/** -1, every peer, is more than any number. */
function larger(a: Replication, b: Replication): Replication {
  const most = (one: number, other: number) => (one < 0 || other < 0 ? -1 : Math.max(one, other));
  return { min: most(a.min, b.min), max: most(a.max, b.max) };
}

const PINNED = 'pinned-to:';

/**
 * All rules, in the order of the repositories, and then all shares: a share always decides, so a rule after one would never be
 * asked. Of two lists of peers that let no others what both let remains; nothing in common must not leave a shard without any
 * peer, so then either will do.
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
