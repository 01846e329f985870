/** What an operator does to a home, one command each, and what is known of the home afterwards. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { CARRIED, type Home, REPLICAS, type Repository } from './home.ts';
import type { Frozen } from './source.ts';
import type { Outcome, World } from './world.ts';

export interface Deed {
  readonly home: Home;
  readonly argv: readonly string[];
  /** Exit codes that are right as things are. */
  readonly allowed: readonly number[];
  /** Takes down what has been done. */
  readonly done?: (outcome: Outcome) => void;
  /** Finds out how far a run came that was killed. */
  readonly cutShort?: () => Promise<void>;
}

/** Codes of a run which is told that a peer that it would need does not answer. */
const orTooFewPeers = (world: World, home: Home): number[] => (world.stateFor(home) === 'away' ? [0, 42] : [0]);

/** The source is edited most of the times; sometimes there is nothing to do. */
export async function updateDeed(world: World): Promise<Deed> {
  const { random } = world;
  const home = random.pick(world.homes);
  const repository = random.pick(home.mirrors);
  if (random.chance(0.9)) for (const line of await repository.source.edit()) world.note(`  ${repository.source.dir}: ${line}`);
  const add = random.chance(0.15);
  const argv = add ? home.addCommand(repository) : home.updateCommand(repository);
  if (random.chance(0.1)) argv.push('--checksum');
  return updating(home, repository, argv, await repository.source.frozen());
}

export function updating(home: Home, repository: Repository, argv: readonly string[], frozen: Frozen): Deed {
  return {
    home,
    argv,
    allowed: [0],
    done: (outcome) => home.committed(repository, frozen, outcome),
    cutShort: () => home.reconcile({ committed: new Map([[repository.name, frozen]]) }),
  };
}

export async function updateAllDeed(world: World, home = world.random.pick(world.homes)): Promise<Deed> {
  const frozen = new Map<string, Frozen>();
  for (const { name, source } of home.mirrors) frozen.set(name, await source.frozen());
  const all = home.mirrors.length === home.repositories.size ? ['--all'] : home.mirrors.map(({ name }) => name);
  return {
    home,
    argv: ['update', ...all, '--shard-size', world.shardSize, '--max-delete', 'none'],
    allowed: [0],
    done: (outcome) => {
      for (const repository of home.mirrors) home.committed(repository, frozen.get(repository.name) as Frozen, outcome);
    },
    cutShort: () => home.reconcile({ committed: frozen }),
  };
}

/** A repository is told to have one replica more, or as many as before; it has them when the run is over. */
export async function replicationDeed(world: World): Promise<Deed> {
  const home = world.random.pick(world.homes);
  const repository = world.random.pick(home.mirrors);
  const replicas = repository.replicas === REPLICAS ? REPLICAS + 1 : REPLICAS;
  const argv = [...home.updateCommand(repository), '--replication', `${replicas}`];
  const deed = updating(home, repository, argv, await repository.source.frozen());
  // Until it is over, the fewer will do.
  repository.replicas = Math.min(replicas, repository.replicas);
  return {
    ...deed,
    done: (outcome) => {
      deed.done?.(outcome);
      repository.replicas = replicas;
    },
  };
}

/** A snapshot of one home is carried to another as a CAR. */
export async function carryDeed(world: World): Promise<Deed> {
  const { random } = world;
  const [from, home] = random.some(world.homes, 2) as [Home, Home];
  const { name, kept } = random.pick([...from.repositories.values()]);
  const number = random.pick([...kept.keys()]);
  const car = join(world.dir, 'carried.car');
  rmSync(car, { force: true });
  await world.run(from, [0], ['export', `${name}@${number}`, '--car', car]);
  const repository = home.repositories.get(CARRIED) ?? { name: CARRIED, source: undefined, replicas: REPLICAS, kept: new Map() };
  const frozen = kept.get(number) as Frozen;
  return {
    ...updating(home, repository, home.importCommand(car), frozen),
    done: (outcome) => {
      home.repositories.set(CARRIED, repository);
      home.committed(repository, frozen, outcome);
    },
    cutShort: async () => {
      home.repositories.set(CARRIED, repository);
      await home.reconcile({ committed: new Map([[CARRIED, frozen]]) });
      if (repository.kept.size === 0) home.repositories.delete(CARRIED);
    },
  };
}

/** Some by number, or all but the newest. With nothing that may go it is an update. */
export async function forgetDeed(world: World): Promise<Deed> {
  const { random } = world;
  const home = random.pick(world.homes);
  const able = [...home.repositories.values()].filter(({ kept }) => kept.size > 1);
  if (able.length === 0) return updateDeed(world);
  const { name, kept } = random.pick(able);
  const old = [...kept.keys()].sort((a, b) => a - b).slice(0, -1);
  const last = random.between(1, old.length);
  const byNumber = random.chance(0.6);
  const gone = new Set(byNumber ? random.some(old, random.between(1, old.length)) : old.slice(0, old.length + 1 - last));
  return {
    home,
    argv: ['forget', name, ...(byNumber ? [...gone].map(String) : ['--keep-last', `${last}`])],
    allowed: [0],
    done: () => {
      for (const number of gone) kept.delete(number);
    },
    cutShort: () => home.reconcile({ forgotten: new Map([[name, gone]]) }),
  };
}

export function pruneDeed(world: World, home = world.random.pick(world.homes)): Deed {
  const { random } = world;
  const argv = ['prune', '--shard-size', world.shardSize];
  if (random.chance(0.7)) argv.push('--max-unused', random.pick(['0', '5%', '20%', 'unlimited']));
  if (random.chance(0.2)) argv.push('--max-repack', '100KB');
  return { home, argv, allowed: orTooFewPeers(world, home), cutShort: () => home.reconcile() };
}

/** What no living home has marked is freed: that of one that is said to be dead, unless it is gone already, or of nobody. */
export function orphansDeed(world: World, home = world.random.pick(world.homes)): Deed {
  const dead = world.random.some(world.deadHomes, 1).flatMap((id) => ['--owner', id]);
  return { home, argv: ['prune', '--orphans', ...dead, '--force'], allowed: [40, ...orTooFewPeers(world, home)] };
}

export function rebalanceDeed(world: World, home = world.random.pick(world.homes)): Deed {
  return { home, argv: ['rebalance'], allowed: orTooFewPeers(world, home) };
}

export function repairDeed(world: World, home = world.random.pick(world.homes)): Deed {
  const argv = world.random.chance(0.5) ? ['repair', '--read-data'] : ['repair'];
  return { home, argv, allowed: orTooFewPeers(world, home) };
}

/** Everything on a peer moves elsewhere. */
export function drainDeed(world: World, home: Home, peer: string): Deed {
  return { home, argv: ['peers', 'drain', peer], allowed: orTooFewPeers(world, home) };
}

export async function perform(world: World, deed: Deed): Promise<void> {
  const outcome = await world.run(deed.home, deed.allowed, deed.argv);
  deed.done?.(outcome);
}
