/** What must hold after each round of a campaign, whatever was done. */
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Home, Repository } from './home.ts';
import { blocksAt, shardsAt } from './peer-blocks.ts';
import { entriesOf, type Frozen } from './source.ts';
import type { World } from './world.ts';

/**
 * Each block of each retained snapshot lies on as many peers of its home as there should be replicas; one less where a peer is
 * damaged. A peer that is away still has what it had, but nobody may depend on it.
 * @throws Error that names the first blocks for which that is not so
 */
export function assertBlocksHeld(world: World): void {
  const held = new Map([...world.peers.keys()].map((name) => [name, blocksAt(world.peerDirNow(name))]));
  const missing: string[] = [];
  for (const home of world.homes) {
    const state = world.stateFor(home);
    const peers = [...home.peers].map((name) => ({ name, blocks: held.get(name) as Set<string> }));
    for (const { name, kept, replicas } of home.repositories.values()) {
      for (const [number, { digests }] of kept) {
        let short = 0;
        let lost = 0;
        for (const digest of digests) {
          const holders = peers.filter(({ blocks }) => blocks.has(digest));
          const reachable = holders.filter((peer) => peer.name !== world.ill).length;
          if (reachable === 0) lost++;
          else if (holders.length < (state === 'damaged' ? replicas - 1 : replicas)) short++;
        }
        const what = `${name}@${number} of home ${home.name}, of ${digests.size} blocks`;
        if (lost > 0) missing.push(`${what}: ${lost} are on no peer that is well`);
        if (short > 0) missing.push(`${what}: ${short} are on fewer than ${replicas} peers`);
      }
    }
  }
  if (missing.length > 0) throw new Error(`blocks are missing:\n${missing.join('\n')}`);
}

/** A retained snapshot comes back as it was frozen. @throws Error that names the first differences */
export async function assertReadsBack(world: World, home: Home, { name, kept }: Repository, number: number): Promise<void> {
  const out = join(world.dir, 'out');
  rmSync(out, { recursive: true, force: true });
  await world.run(home, [0], ['get', `${name}@${number}`, '-o', out]);
  world.tally.reads++;
  const { entries: expected, metadata } = kept.get(number) as Frozen;
  const actual = entriesOf(out, metadata);
  const differences = [...new Set([...expected.keys(), ...actual.keys()])].filter((path) => expected.get(path) !== actual.get(path));
  if (differences.length > 0) {
    const lines = differences.slice(0, 5).map((path) => `${JSON.stringify(path)}: ${expected.get(path)} came back as ${actual.get(path)}`);
    throw new Error(`${name}@${number} of home ${home.name} comes back with ${differences.length} differences:\n${lines.join('\n')}`);
  }
  rmSync(out, { recursive: true, force: true });
}

/** A part of the laws, chosen at random, for what it costs. */
export async function assertSome(world: World): Promise<void> {
  const { random } = world;
  assertBlocksHeld(world);
  const home = random.pick(world.homes);
  const repository = random.pick([...home.repositories.values()]);
  if (random.chance(0.5)) await assertReadsBack(world, home, repository, random.pick([...repository.kept.keys()]));
  if (random.chance(0.3)) await assertVerified(world, random.pick(world.homes));
}

/** All of them. */
export async function assertAll(world: World): Promise<void> {
  assertBlocksHeld(world);
  for (const home of world.homes) {
    await home.reconcile();
    await assertVerified(world, home);
    for (const repository of home.repositories.values())
      for (const number of repository.kept.keys()) await assertReadsBack(world, home, repository, number);
  }
}

/** When all homes have pruned, and what dead ones have left is freed, each peer has what the homes count on and nothing else. */
export async function assertNothingLeft(world: World): Promise<void> {
  const living = world.homes.map(({ id }) => id);
  const needed = new Map([...world.peers.keys()].map((peer) => [peer, new Set<string>()]));
  for (const home of world.homes) {
    await world.run(home, [0], ['prune', '--max-unused', '0']);
    const { events } = await world.run(home, [0], ['prune', '--orphans', '--force']);
    const neighbours = events.flatMap((event) => (event as { neighbours?: { id: string }[] }).neighbours ?? []);
    const dead = new Set(neighbours.map(({ id }) => id).filter((id) => !living.includes(id)));
    for (const id of dead) await world.run(home, [0], ['prune', '--orphans', '--owner', id, '--force']);
  }
  for (const home of world.homes) {
    for (const { cid, replicas } of await shardsOf(world, home)) for (const { peer } of replicas) needed.get(peer)?.add(cid);
  }
  for (const [peer, wanted] of needed) {
    const forgotten = world.homes.filter(({ isForgetful }) => isForgetful).map(({ id }) => join(world.peerDir(peer), 'owners', id));
    const left = shardsAt(world.peerDir(peer)).filter(
      (cid) => !wanted.has(cid) && !forgotten.some((marks) => existsSync(join(marks, cid))),
    );
    if (left.length > 0) throw new Error(`peer ${peer} holds ${left.length} shards that nobody needs: ${left.slice(0, 5).join(', ')}`);
  }
}

export interface ShardStatus {
  readonly cid: string;
  readonly replicas: readonly { readonly peer: string }[];
}

/** The shards that a home needs, and who should have them. */
export async function shardsOf(world: World, home: Home): Promise<ShardStatus[]> {
  const { events } = await world.run(home, [0], ['status', '--shards']);
  return events.filter(({ type }) => type === 'shard-status') as unknown as ShardStatus[];
}

/** `verify` finds nothing, unless there is something to be found. */
async function assertVerified(world: World, home: Home): Promise<void> {
  await world.run(home, world.stateFor(home) === 'well' ? [0] : [0, 42, 44, 46], ['verify', '--read-data']);
}
