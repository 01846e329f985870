/** A home finds its snapshots on the peers: one that was lost, or another one that takes a mirror over. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { perform, updating } from './deeds.ts';
import type { Home, Mirror } from './home.ts';
import { assertAll } from './laws.ts';
import type { World } from './world.ts';

export interface Wanted {
  readonly repository: Mirror;
  /** How `recover` is told: the CID of the head, or the name, and from where. */
  readonly argv: readonly string[];
}

/** The head alone, by the CID that an operator has noted. @param of the home that has it */
export function byHead(of: Home, repository: Mirror): Wanted {
  const cid = readFileSync(join(of.dir, 'heads', repository.name), 'utf8').trim();
  return { repository, argv: [cid, '--name', repository.name] };
}

/** All that the home has marked as its own. @param of the home that has marked it */
export function byOwner(of: Home, repository: Mirror): Wanted {
  return { repository, argv: [repository.name, '--owner', of.id] };
}

/** @param places options that say where to look; none for a home that has its settings still */
export async function recoverMirrors(world: World, home: Home, wanted: readonly Wanted[], places: readonly string[]): Promise<void> {
  home.repositories.clear();
  for (const { repository, argv } of wanted) {
    const { name, source, kept } = repository;
    const before = new Map([...kept.values()].map((frozen) => [frozen.tree, frozen]));
    const newest = kept.get(Math.max(...kept.keys()));
    kept.clear();
    home.repositories.set(name, repository);
    const command = ['recover', ...argv, ...places, '--source', source.dir];
    // What was forgotten and not pruned yet comes back, too, as far as it is there.
    const allowed = argv[1] === '--name' ? [0] : [0, 44];
    const killed = world.random.chance(0.4);
    if (killed) await world.run(home, allowed, command, { fault: `kill:${world.random.mostlySmall(1, 100)}` });
    // One that had all but ended is told that the repository is there.
    await world.run(home, killed ? [...allowed, 2] : allowed, command);
    const gone = await home.takeListed(repository, before);
    if (kept.get(Math.max(...kept.keys()))?.tree !== newest?.tree) throw new Error(`home ${home.name} has not found the head of ${name}`);
    if (argv[1] !== '--name' && kept.size < before.size) throw new Error(`home ${home.name} has found ${kept.size} snapshots of ${name}`);
    if (gone.length > 0) await world.run(home, [0], ['forget', name, ...gone.map(String)]);
  }
  // Only now: new shards would be given numbers that a snapshot which is still to come has given to others.
  for (const { repository } of wanted) {
    await perform(world, updating(home, repository, home.addCommand(repository), await repository.source.frozen()));
  }
  for (const peer of home.peers) await world.run(home, [0], ['peers', 'set', peer, '--capacity', '1GB']);
  await world.run(home, [0], ['repair']);
  await assertAll(world);
}

export function placesOf(world: World, home: Home): string[] {
  return [...home.peers].flatMap((peer) => ['--from', world.peerDir(peer)]);
}
