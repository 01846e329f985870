/** What happens to homes: one is lost, or a part of what it remembers. */
import assert from 'node:assert/strict';
import { cpSync, existsSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { perform, repairDeed, updateAllDeed, updateDeed } from './deeds.ts';
import { Home } from './home.ts';
import { assertAll, assertBlocksHeld } from './laws.ts';
import { flipBit } from './peer-trouble.ts';
import { byHead, byOwner, placesOf, recoverMirrors } from './recovering.ts';
import type { World } from './world.ts';

/** A home is deleted; what it had is found again on its peers. */
export async function lostHomeRound(world: World): Promise<void> {
  const home = world.random.pick(world.homes);
  const how = world.random.pick([byHead, byOwner]);
  const wanted = home.mirrors.map((repository) => how(home, repository));
  const { id } = home;
  rmSync(home.dir, { recursive: true });
  world.note(`  ${home.dir} is lost`);
  await recoverMirrors(world, home, wanted, placesOf(world, home));
  world.deadHomes.push(id);
  home.isForgetful = false;
}

/** What only saves time is damaged or gone: the next run does without it, and reads again what it must. */
export async function damagedMemoryRound(world: World): Promise<void> {
  const deed = await updateDeed(world);
  const index = join(deed.home.dir, 'index');
  if (world.random.chance(0.3)) {
    rmSync(join(index, 'entries'), { recursive: true, force: true });
    world.note(`  the entries of ${deed.home.dir} are lost`);
  } else {
    const files = filesBelow(index).filter((path) => /\.(hot|cold|pending)$/.test(path) || path.endsWith('standing.json'));
    files.push(join(deed.home.dir, 'config.checked.json'), join(deed.home.dir, 'home.json'));
    for (const path of world.random.some(files, world.random.between(1, 3))) damage(world, path);
  }
  await perform(world, deed);
}

/** A file of the block table is damaged or gone. Nobody is given wrong bytes, and `repair` lists the blocks again. */
export async function damagedTableRound(world: World): Promise<void> {
  const home = world.random.pick(world.homes);
  const runs = filesBelow(join(home.dir, 'index', 'blocks'));
  if (runs.length === 0) return;
  for (const path of world.random.some(runs, world.random.mostlySmall(1, 2))) damage(world, path);
  const [repository] = home.repositories.values();
  if (repository !== undefined && world.random.chance(0.5)) {
    const out = join(world.dir, 'out');
    await world.run(home, [0, 44], ['get', repository.name, '-o', out]);
    rmSync(out, { recursive: true, force: true });
  }
  if (world.random.chance(0.3)) await world.run(home, [0, 44], ['prune']);
  assertBlocksHeld(world);
  await world.run(home, [0], ['repair']);
  await assertAll(world);
}

/** The index is gone, or one bit of its tables is another; the heads and the settings are there. */
export async function lostIndexRound(world: World): Promise<void> {
  const home = world.random.pick(world.homes);
  if (world.random.chance(0.5)) {
    flipBit(world, join(home.dir, 'index', 'tables', 'data.mdb'));
    // Where it matters it is noticed. In a process of its own: LMDB maps that file.
    await world.run(home, [0, 44], ['verify'], {});
  }
  rmSync(join(home.dir, 'index'), { recursive: true });
  home.isForgetful = true;
  world.note(`  the index of ${home.dir} is lost`);
  const wanted = home.mirrors.map((repository) => ({ repository, argv: [repository.name] }));
  await recoverMirrors(world, home, wanted, []);
}

/** One bit of the settings is another: what was there before is written again. */
export async function damagedSettingsRound(world: World): Promise<void> {
  const home = world.random.pick(world.homes);
  const path = join(home.dir, 'config.json');
  const before = readFileSync(path);
  flipBit(world, path);
  if (world.random.chance(0.5)) await world.run(home, [0, 2, 40, 42, 44, 45], ['status']);
  await world.run(home, [0], ['config', '--restore']);
  assert.deepEqual(JSON.parse(`${readFileSync(path)}`), JSON.parse(`${before}`));
  await perform(world, await updateAllDeed(world, home));
}

/** A home is copied, and both go on from there: each has to keep what it had. After some time the copy is given up. */
export async function copiedHomeRound(world: World): Promise<void> {
  const [original, , copy] = world.homes;
  if (copy !== undefined) {
    world.deadHomes.push(copy.id);
    rmSync(copy.dir, { recursive: true });
    world.homes.splice(2, 1);
    world.note(`  ${copy.dir} is given up`);
    return;
  }
  const third = new Home(world, 'c');
  cpSync((original as Home).dir, third.dir, { recursive: true, preserveTimestamps: true });
  world.note(`  ${third.dir} is a copy of ${(original as Home).dir}`);
  for (const peer of (original as Home).peers) third.peers.add(peer);
  for (const [name, repository] of (original as Home).repositories)
    third.repositories.set(name, { ...repository, kept: new Map(repository.kept) });
  world.homes.push(third);
  // What the copy has is its own from its first run on.
  await perform(world, world.random.chance(0.5) ? await updateAllDeed(world, third) : repairDeed(world, third));
}

/** A home lies elsewhere from now on. */
export async function movedHomeRound(world: World): Promise<void> {
  const home = world.random.pick(world.homes);
  const to = home.dir.endsWith('.moved') ? home.dir.slice(0, -'.moved'.length) : `${home.dir}.moved`;
  renameSync(home.dir, to);
  world.note(`  ${home.dir} is ${to} now`);
  home.dir = to;
  await perform(world, await updateAllDeed(world, home));
}

function damage(world: World, path: string): void {
  if (world.random.chance(0.2)) {
    rmSync(path);
    world.note(`  ${relative(world.dir, path)} is gone`);
  } else flipBit(world, path);
}

function filesBelow(dir: string): string[] {
  if (!existsSync(dir)) return [];
  return readdirSync(dir, { recursive: true, withFileTypes: true, encoding: 'utf8' })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .sort();
}
