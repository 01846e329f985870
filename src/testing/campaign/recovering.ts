/** A home finds its snapshots on the peers: one that was lost, or another one that takes a mirror over. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { perform, updating } from './deeds.ts';
import type { Home, Mirror } from './home.ts';
import { assertAll } from './laws.ts';
import type { World } from './world.ts';

export interface Head {
  readonly repository: Mirror;
  /** Of its newest snapshot. */
  readonly cid: string;
}

/** What an operator has noted of a repository. */
export function headOf(home: Home, repository: string): string {
  return readFileSync(join(home.dir, 'heads', repository), 'utf8').trim();
}

/** A home that does not know these repositories takes them from its peers, and is told their settings again. */
export async function recoverHeads(world: World, home: Home, heads: readonly Head[]): Promise<void> {
  home.repositories.clear();
  const places = [...home.peers].flatMap((peer) => ['--from', world.peerDir(peer)]);
  for (const { repository, cid } of heads) {
    const { name, source, kept } = repository;
    const newest = kept.get(Math.max(...kept.keys()));
    kept.clear();
    home.repositories.set(name, repository);
    await world.run(home, [0], ['recover', cid, ...places, '--name', name, '--source', source.dir]);
    await home.reconcile({ committed: new Map(newest === undefined ? [] : [[name, newest]]) });
    if (kept.size !== 1) throw new Error(`home ${home.name} has ${kept.size} snapshots of ${name} after it was recovered`);
  }
  // Only now: new shards would be given numbers that a snapshot which is still to come has given to others.
  for (const { repository } of heads) {
    await perform(world, updating(home, repository, home.addCommand(repository), await repository.source.frozen()));
  }
  for (const peer of home.peers) await world.run(home, [0], ['peers', 'set', peer, '--capacity', '1GB']);
  await world.run(home, [0], ['repair']);
  await assertAll(world);
}
