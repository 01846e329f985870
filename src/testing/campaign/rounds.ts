/** The rounds of a campaign: one thing that happens to a home or to a peer, and what has to come of it. */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { type Deed, drainDeed, forgetDeed, perform, pruneDeed, rebalanceDeed, repairDeed, updateAllDeed, updateDeed } from './deeds.ts';
import { ASKED, type Home } from './home.ts';
import { assertAll, assertBlocksHeld } from './laws.ts';
import { dataFiles } from './peer-blocks.ts';
import { headOf, recoverHeads } from './recovering.ts';
import type { World } from './world.ts';

export interface Round {
  readonly name: string;
  readonly weight: number;
  /** Only while all peers are well. */
  readonly calm?: boolean;
  readonly run: (world: World) => Promise<void>;
}

export const ROUNDS: readonly Round[] = [
  { name: 'update', weight: 25, run: async (world) => perform(world, await updateDeed(world)) },
  { name: 'update all', weight: 3, run: async (world) => perform(world, await updateAllDeed(world)) },
  { name: 'forget', weight: 10, run: async (world) => perform(world, await forgetDeed(world)) },
  { name: 'prune', weight: 12, run: async (world) => perform(world, pruneDeed(world)) },
  { name: 'rebalance', weight: 5, run: async (world) => perform(world, rebalanceDeed(world)) },
  { name: 'repair', weight: 4, run: async (world) => perform(world, repairDeed(world)) },
  { name: 'drain', weight: 5, run: drainRound },
  { name: 'kill', weight: 22, run: killRound },
  { name: 'flip', weight: 6, calm: true, run: flipRound },
  { name: 'away', weight: 5, calm: true, run: awayRound },
  { name: 'lost peer', weight: 2, calm: true, run: lostPeerRound },
  { name: 'lost home', weight: 3, calm: true, run: lostHomeRound },
  { name: 'lost entries', weight: 2, run: lostEntriesRound },
];

/** Everything on a peer moves away; then it is given shards again, or leaves and comes back. */
async function drainRound(world: World): Promise<void> {
  const home = world.random.pick(world.homes);
  const peer = world.random.pick([...home.peers]);
  perform(world, drainDeed(world, home, peer));
  undrain(world, home, peer);
}

/** A peer that is away may have kept its shards. */
function undrain(world: World, home: Home, peer: string): void {
  if (world.ill !== undefined || world.random.chance(0.5)) {
    world.run(home, [0], ['peers', 'drain', peer, '--undo']);
    return;
  }
  world.run(home, [0], ['peers', 'rm', peer, ...ASKED]);
  home.peers.delete(peer);
  assertBlocksHeld(world);
  if (world.random.chance(0.5)) perform(world, pruneDeed(world));
  home.addPeer(peer, world.layouts.get(peer) ?? 'car');
}

/** A command is killed; nothing that was retained is the worse for it, and run again it comes to its end. */
async function killRound(world: World): Promise<void> {
  const { random } = world;
  const home = random.pick(world.homes);
  const drained = random.pick([...home.peers]);
  const { choose } = random.weighted([
    { weight: 8, choose: () => updateDeed(world) },
    { weight: 2, choose: () => updateAllDeed(world) },
    { weight: 1, choose: () => forgetDeed(world) },
    { weight: 6, choose: () => pruneDeed(world) },
    { weight: 2, choose: () => repairDeed(world) },
    { weight: 3, choose: () => drainDeed(world, home, drained) },
    { weight: 3, choose: () => rebalanceDeed(world) },
  ]);
  const deed: Deed = await choose();
  const kill = random.chance(0.7) ? { write: random.mostlySmall(1, 100) } : { percent: random.between(30, 110) };
  const outcome = world.run(deed.home, deed.allowed, deed.argv, kill);
  if (outcome.code !== undefined) {
    deed.done?.(outcome);
  } else {
    deed.cutShort?.();
    assertBlocksHeld(world);
    // What was forgotten is not there to be forgotten again.
    if (deed.argv[0] !== 'forget') perform(world, deed);
  }
  if (deed.argv[1] === 'drain') undrain(world, home, drained);
}

/** One bit on one peer is not as it was. A replica elsewhere is whole. */
async function flipRound(world: World): Promise<void> {
  const { random } = world;
  const able = [...world.peers.keys()].filter((peer) => dataFiles(world.peerDir(peer)).length > 0);
  if (able.length === 0) return;
  const peer = random.pick(able);
  for (let flips = random.mostlySmall(1, 4); flips > 0; flips--) flipBit(world, random.pick(dataFiles(world.peerDir(peer))));
  world.fallIll(peer, 'damaged', random.mostlySmall(1, 5) - 1);
}

function flipBit(world: World, path: string): void {
  const bytes = readFileSync(path);
  if (bytes.length === 0) return;
  const at = world.random.below(bytes.length);
  const bit = world.random.below(8);
  bytes[at] = (bytes[at] as number) ^ (1 << bit);
  writeFileSync(path, bytes);
  world.tally.flips++;
  world.note(`  bit ${bit} of byte ${at} flips in ${relative(world.dir, path)}`);
}

async function awayRound(world: World): Promise<void> {
  const peer = world.random.pick([...world.peers.keys()]);
  renameSync(world.peerDir(peer), `${world.peerDir(peer)}.away`);
  world.note(`  ${peer} is away`);
  world.fallIll(peer, 'away', world.random.mostlySmall(1, 5));
}

/** The peer that was away is back, or what was damaged on it is mended. */
export function recoverPeer(world: World, peer: string): void {
  if (world.peers.get(peer) === 'away') {
    renameSync(`${world.peerDir(peer)}.away`, world.peerDir(peer));
    world.note(`  ${peer} is back`);
  }
  world.peers.set(peer, 'well');
  for (const home of world.homes) if (home.peers.has(peer)) world.run(home, [0], ['repair', '--read-data', ...ASKED]);
  assertAll(world);
}

/** A disk dies with all that is on it; an empty one takes its place. */
async function lostPeerRound(world: World): Promise<void> {
  const peer = world.random.pick([...world.peers.keys()]);
  rmSync(world.peerDir(peer), { recursive: true });
  world.note(`  the disk of ${peer} is dead`);
  const concerned = world.homes.filter((home) => home.peers.has(peer));
  for (const home of concerned) {
    world.run(home, [0], ['peers', 'rm', peer, '--force', ...ASKED]);
    home.peers.delete(peer);
    world.run(home, [0], ['repair', ...ASKED]);
  }
  assertBlocksHeld(world);
  for (const home of concerned) home.addPeer(peer, world.layouts.get(peer) ?? 'car');
}

/** A home is deleted; its heads are found again on its peers. */
async function lostHomeRound(world: World): Promise<void> {
  const home = world.random.pick(world.homes);
  const heads = [...home.repositories.values()].map((repository) => ({ repository, cid: headOf(home, repository.name) }));
  rmSync(home.dir, { recursive: true });
  world.note(`  ${home.dir} is lost`);
  await recoverHeads(world, home, heads);
}

/** What is remembered of the last scan is gone: everything is read again. */
async function lostEntriesRound(world: World): Promise<void> {
  const deed = await updateDeed(world);
  rmSync(join(deed.home.dir, 'index', 'entries'), { recursive: true, force: true });
  world.note(`  the entries of ${deed.home.dir} are lost`);
  perform(world, deed);
}
