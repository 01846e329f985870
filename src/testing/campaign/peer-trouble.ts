/** What happens to peers: bits flip, a disk is away for a while, or for ever. */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { assertAll, assertBlocksHeld, shardsOf } from './laws.ts';
import { dataFiles } from './peer-blocks.ts';
import type { World } from './world.ts';

/** One bit on one peer is not as it was, or some. A replica elsewhere is whole. Every home that counts on that one is told. */
export async function flipRound(world: World): Promise<void> {
  const { random } = world;
  const able = [...world.peers.keys()].filter((peer) => dataFiles(world.peerDir(peer)).length > 0);
  if (able.length === 0) return;
  const peer = random.pick(able);
  const flipped = random.some(dataFiles(world.peerDir(peer)), random.mostlySmall(1, 4));
  for (const path of flipped) flipBit(world, path);
  world.fallIll(peer, 'damaged', random.mostlySmall(1, 5) - 1);
  const home = random.pick(world.homes);
  const counted = (await shardsOf(world, home)).filter(({ replicas }) => replicas.some((replica) => replica.peer === peer));
  if (counted.some(({ cid }) => flipped.some((path) => basename(path) === `${cid}.car`)))
    await world.run(home, [44], ['verify', '--read-data']);
}

export function flipBit(world: World, path: string): void {
  const bytes = readFileSync(path);
  if (bytes.length === 0) return;
  const at = world.random.below(bytes.length);
  const bit = world.random.below(8);
  bytes[at] = (bytes[at] as number) ^ (1 << bit);
  writeFileSync(path, bytes);
  world.tally.flips++;
  world.note(`  bit ${bit} of byte ${at} flips in ${relative(world.dir, path)}`);
}

export async function awayRound(world: World): Promise<void> {
  const peer = world.random.pick([...world.peers.keys()]);
  renameSync(world.peerDir(peer), `${world.peerDir(peer)}.away`);
  world.note(`  ${peer} is away`);
  world.fallIll(peer, 'away', world.random.mostlySmall(1, 5));
}

/** The peer that was away is back, or what was damaged on it is mended. */
export async function recoverPeer(world: World, peer: string): Promise<void> {
  if (world.peers.get(peer) === 'away') {
    renameSync(`${world.peerDir(peer)}.away`, world.peerDir(peer));
    world.note(`  ${peer} is back`);
  }
  world.peers.set(peer, 'well');
  for (const home of world.homes) if (home.peers.has(peer)) await world.run(home, [0], ['repair', '--read-data']);
  await assertAll(world);
}

/** A disk dies with all that is on it; an empty one takes its place. */
export async function lostPeerRound(world: World): Promise<void> {
  const peer = world.random.pick([...world.peers.keys()]);
  rmSync(world.peerDir(peer), { recursive: true });
  world.note(`  the disk of ${peer} is dead`);
  const concerned = world.homes.filter((home) => home.peers.has(peer));
  for (const home of concerned) {
    await world.run(home, [0], ['peers', 'rm', peer, '--force']);
    home.peers.delete(peer);
    await world.run(home, [0], ['repair']);
  }
  assertBlocksHeld(world);
  for (const home of concerned) await home.addPeer(peer, world.layouts.get(peer) ?? 'car');
}

/** One bit of what says that a directory is a peer. */
export async function damagedIdentityRound(world: World): Promise<void> {
  const peer = world.random.pick([...world.peers.keys()]);
  flipBit(world, join(world.peerDir(peer), 'peer.json'));
  for (const home of world.homes.filter(({ peers }) => peers.has(peer))) await world.run(home, [0], ['repair']);
  await assertAll(world);
}
