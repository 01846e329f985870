/** The rounds of a campaign: one thing that happens to a home or to a peer, and what has to come of it. */
import {
  carryDeed,
  type Deed,
  drainDeed,
  forgetDeed,
  orphansDeed,
  perform,
  pruneDeed,
  rebalanceDeed,
  repairDeed,
  replicationDeed,
  updateAllDeed,
  updateDeed,
} from './deeds.ts';
import type { Home } from './home.ts';
import {
  copiedHomeRound,
  damagedMemoryRound,
  damagedSettingsRound,
  damagedTableRound,
  lostHomeRound,
  lostIndexRound,
  movedHomeRound,
} from './home-trouble.ts';
import { assertBlocksHeld } from './laws.ts';
import { awayRound, damagedIdentityRound, flipRound, lostPeerRound } from './peer-trouble.ts';
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
  { name: 'orphans', weight: 4, run: async (world) => perform(world, orphansDeed(world)) },
  { name: 'rebalance', weight: 5, run: async (world) => perform(world, rebalanceDeed(world)) },
  { name: 'repair', weight: 4, run: async (world) => perform(world, repairDeed(world)) },
  { name: 'carry', weight: 3, run: async (world) => perform(world, await carryDeed(world)) },
  { name: 'replication', weight: 2, calm: true, run: async (world) => perform(world, await replicationDeed(world)) },
  { name: 'drain', weight: 5, run: drainRound },
  { name: 'disturbed', weight: 40, run: disturbedRound },
  { name: 'together', weight: 8, run: togetherRound },
  { name: 'flip', weight: 6, calm: true, run: flipRound },
  { name: 'away', weight: 5, calm: true, run: awayRound },
  { name: 'lost peer', weight: 2, calm: true, run: lostPeerRound },
  { name: 'lost home', weight: 3, calm: true, run: lostHomeRound },
  { name: 'lost index', weight: 2, calm: true, run: lostIndexRound },
  { name: 'copied home', weight: 2, calm: true, run: copiedHomeRound },
  { name: 'moved home', weight: 1, run: movedHomeRound },
  { name: 'damaged identity', weight: 2, calm: true, run: damagedIdentityRound },
  { name: 'damaged settings', weight: 2, run: damagedSettingsRound },
  { name: 'damaged memory', weight: 3, run: damagedMemoryRound },
  { name: 'damaged block table', weight: 3, calm: true, run: damagedTableRound },
];

/** Everything on a peer moves away; then it is given shards again, or leaves and comes back. */
async function drainRound(world: World): Promise<void> {
  const home = world.random.pick(world.homes);
  const peer = world.random.pick([...home.peers]);
  await perform(world, drainDeed(world, home, peer));
  await undrain(world, home, peer);
}

/** A peer that is away may have kept its shards. */
async function undrain(world: World, home: Home, peer: string): Promise<void> {
  if (world.ill !== undefined || world.random.chance(0.5)) {
    await world.run(home, [0], ['peers', 'drain', peer, '--undo']);
    return;
  }
  await world.run(home, [0], ['peers', 'rm', peer]);
  home.peers.delete(peer);
  assertBlocksHeld(world);
  if (world.random.chance(0.5)) await perform(world, pruneDeed(world));
  await home.addPeer(peer, world.layouts.get(peer) ?? 'car');
}

/** A command is killed, or told to stop, or a write of it fails; nothing that was retained is the worse for it, and run again it comes to its end. */
async function disturbedRound(world: World): Promise<void> {
  const { random } = world;
  const home = random.pick(world.homes);
  const drained = random.pick([...home.peers]);
  const deed = await someDeed(world, [{ weight: 3, choose: () => drainDeed(world, home, drained) }]);
  const kind = random.weighted([
    { weight: 6, kind: 'kill', codes: [] },
    { weight: 1, kind: 'SIGTERM', codes: [143] },
    { weight: 1, kind: 'ENOSPC', codes: [1, 42, 43, 44] },
    { weight: 1, kind: 'EIO', codes: [1, 42, 43, 44] },
  ]);
  const disturbance = random.chance(0.75) ? { fault: `${kind.kind}:${random.mostlySmall(1, 70)}` } : { percent: random.between(30, 110) };
  const outcome = await world.run(deed.home, [...deed.allowed, ...kind.codes], deed.argv, disturbance);
  if (outcome.code === 0) {
    deed.done?.(outcome);
  } else {
    await deed.cutShort?.();
    assertBlocksHeld(world);
    // What was forgotten is not there to be forgotten again.
    if (deed.argv[0] !== 'forget') await perform(world, deed);
  }
  if (deed.argv[1] === 'drain') await undrain(world, home, drained);
}

/** Two homes are at work at the same time; one of them is killed sometimes. */
async function togetherRound(world: World): Promise<void> {
  const { random } = world;
  const deed = await someDeed(world, []);
  const other = random.pick(world.homes.filter((home) => home !== deed.home));
  const beside = random.pick([pruneDeed, rebalanceDeed, repairDeed, orphansDeed])(world, other);
  const disturbance = random.chance(0.3) ? { fault: `kill:${random.mostlySmall(1, 70)}` } : {};
  const [outcome, last] = await Promise.all([
    world.run(deed.home, deed.allowed, deed.argv, disturbance),
    world.run(beside.home, beside.allowed, beside.argv),
  ]);
  beside.done?.(last);
  if (outcome.code !== undefined) return deed.done?.(outcome);
  await deed.cutShort?.();
  assertBlocksHeld(world);
  if (deed.argv[0] !== 'forget') await perform(world, deed);
}

interface Choice {
  readonly weight: number;
  readonly choose: () => Deed | Promise<Deed>;
}

async function someDeed(world: World, more: readonly Choice[]): Promise<Deed> {
  const choices: Choice[] = [
    { weight: 8, choose: () => updateDeed(world) },
    { weight: 2, choose: () => updateAllDeed(world) },
    { weight: 1, choose: () => forgetDeed(world) },
    { weight: 1, choose: () => carryDeed(world) },
    { weight: 6, choose: () => pruneDeed(world) },
    { weight: 2, choose: () => repairDeed(world) },
    { weight: 3, choose: () => rebalanceDeed(world) },
    ...more,
  ];
  return await world.random.weighted(choices).choose();
}
