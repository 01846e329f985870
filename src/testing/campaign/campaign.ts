/** A campaign: random rounds on two homes that share peers, with laws that hold after each. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { perform, updating } from './deeds.ts';
import { Home, type Mirror, REPLICAS } from './home.ts';
import { assertAll, assertNothingLeft, assertSome } from './laws.ts';
import { recoverPeer } from './peer-trouble.ts';
import { Random } from './random.ts';
import { byHead, placesOf, recoverMirrors } from './recovering.ts';
import { ROUNDS } from './rounds.ts';
import { Source } from './source.ts';
import { World } from './world.ts';

/** All laws are looked at after so many rounds, and a part of them after each. */
const ROUNDS_TO_ALL_LAWS = 25;

export interface CampaignOptions {
  readonly seed: number;
  readonly rounds: number;
  /** No round begins after this time. */
  readonly seconds: number;
  /** Everything is below it. */
  readonly dir: string;
}

/** @throws Error with the seed, the directory, and what was done last */
export async function runCampaign({ seed, rounds, seconds, dir }: CampaignOptions): Promise<World['tally']> {
  const started = performance.now();
  mkdirSync(dir, { recursive: true });
  const world = new World(dir, new Random(seed));
  try {
    await setUp(world);
    while (world.tally.rounds < rounds && performance.now() - started < seconds * 1000) {
      await oneRound(world);
      world.tally.rounds++;
      if (world.tally.rounds % ROUNDS_TO_ALL_LAWS === 0) await assertAll(world);
      else await assertSome(world);
    }
    world.note('the end');
    if (world.ill !== undefined) await recoverPeer(world, world.ill);
    await assertNothingLeft(world);
    await assertAll(world);
  } catch (error) {
    const again = `SHARDCTL_CAMPAIGN_SEED=${seed} SHARDCTL_CAMPAIGN_ROUNDS=${world.tally.rounds + 1} SHARDCTL_CAMPAIGN_SECONDS=3600 node --test dist/src/trials/campaign.test.js`;
    const where = `seed ${seed}, round ${world.tally.rounds + 1}; everything is in ${dir}, all that was done in ${world.log}\nagain: ${again}`;
    throw new Error(`${(error as Error).message}\n${where}\n${world.recent}`, { cause: error });
  }
  return world.tally;
}

async function oneRound(world: World): Promise<void> {
  const { ill } = world;
  const heading = (name: string) => world.note(`round ${world.tally.rounds + 1}: ${name}`);
  if (ill !== undefined && world.illForRounds-- <= 0) {
    heading(`${ill} recovers`);
    return recoverPeer(world, ill);
  }
  const round = world.random.weighted(ROUNDS.filter(({ calm }) => !calm || ill === undefined));
  heading(round.name);
  await round.run(world);
}

/** Two homes share most of their peers, and a mirror: the second one adds it too, or takes it over from the peers. */
async function setUp(world: World): Promise<void> {
  const { random } = world;
  for (let i = 0; i < 5; i++) {
    const layout = random.chance(0.6) ? 'car' : 'blockstore';
    world.peers.set(`p${i}`, 'well');
    world.layouts.set(`p${i}`, layout);
  }
  const sources = ['debian', 'npm', 'rpm'].map((name, i) => new Source(join(world.dir, 'sources', name), random, i !== 1));
  const [debian, npm, rpm] = sources as [Source, Source, Source];
  const first = await makeHome(world, 'a', ['p0', 'p1', 'p2', 'p3'], { debian, npm });
  const second = await makeHome(world, 'b', ['p1', 'p2', 'p3', 'p4'], {});
  if (random.chance(0.5)) {
    const theirs = first.repositories.get('debian') as Mirror;
    const wanted = byHead(first, { ...theirs, kept: new Map(theirs.kept) });
    await recoverMirrors(world, second, [wanted], placesOf(world, second));
  } else await addRepository(world, second, 'debian', debian);
  await addRepository(world, second, 'rpm', rpm);
}

async function makeHome(world: World, name: string, peers: readonly string[], sources: Readonly<Record<string, Source>>): Promise<Home> {
  const home = new Home(world, name);
  world.homes.push(home);
  for (const peer of peers) await home.addPeer(peer, world.layouts.get(peer) ?? 'car');
  for (const [repository, source] of Object.entries(sources)) await addRepository(world, home, repository, source);
  return home;
}

async function addRepository(world: World, home: Home, name: string, source: Source): Promise<void> {
  const repository: Mirror = { name, source, replicas: REPLICAS, kept: new Map() };
  home.repositories.set(name, repository);
  await perform(world, updating(home, repository, home.addCommand(repository), await source.frozen()));
}
