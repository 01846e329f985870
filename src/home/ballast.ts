/**
 * Ballast: a file that keeps some room on a disk which others fill, in the home and in each local peer. What frees space has to write
 * first: a lock, the index, the catalogues of the snapshots that stay. On a full disk it throws the ballast off, and takes what is left
 * again at its end. All of it is best effort: without ballast, that a disk is full is an error as ever.
 */
import { randomFillSync } from 'node:crypto';
import { closeSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { freeBytesIn } from '../core/disk-space.ts';
import type { HomePaths } from './home.ts';

const MIB = 1024 * 1024;
/** Twice what LMDB is given at the least (`index/free-space.ts`). Seen: forget, prune and repair of small homes write less than 1 MiB. */
const LEAST_BYTES = 4 * MIB;
const MOST_BYTES = 64 * MIB;
/** With less it would serve nothing. */
const USEFUL_BYTES = 2.5 * MIB;
/** Only a disk with this many times as much room is asked for it while nothing is wrong. */
const ROOM = 4;

/** A place that has ballast. */
export interface Ballasted {
  readonly dir: string;
  /** What may be rewritten there as a whole. */
  readonly tables?: string;
}

/** A peer in the home lies on its disk. @param peers directories of the local ones */
export function placesOf(home: HomePaths, peers: readonly string[]): Ballasted[] {
  const elsewhere = peers.filter((dir) => !dir.startsWith(`${home.dir}/`));
  return [{ dir: home.dir, tables: join(home.index, 'tables', 'data.mdb') }, ...elsewhere.map((dir) => ({ dir }))];
}

/** @returns whether there was any */
export function throwOff({ dir }: Ballasted): boolean {
  const path = pathIn(dir);
  return bytesOf(path) > 0 && removed(path);
}

/** Throws it off where there is less room than it makes. */
export function throwOffWhereFull(places: readonly Ballasted[]): void {
  for (const place of places) if (freeBytesIn(place.dir) < wantedIn(place)) throwOff(place);
}

/** @param isShort take what there is, so that nobody else does before the space is freed; else only where there is plenty */
export function takeBallast(places: readonly Ballasted[], isShort: boolean): void {
  for (const place of places) {
    const wanted = wantedIn(place);
    const [has, free] = [bytesOf(pathIn(place.dir)), freeBytesIn(place.dir)];
    if (has >= wanted / 2 || (!isShort && free < ROOM * wanted)) continue;
    const bytes = Math.min(wanted, free - MIB / 4);
    if (bytes >= USEFUL_BYTES && bytes > has) write(pathIn(place.dir), bytes);
  }
}

function wantedIn({ tables }: Ballasted): number {
  return Math.min(MOST_BYTES, Math.max(LEAST_BYTES, tables === undefined ? 0 : 2 * bytesOf(tables)));
}

/** Random, and not only reserved: some file systems keep zeros and holes for nothing. */
function write(path: string, bytes: number): void {
  const piece = randomFillSync(Buffer.allocUnsafe(MIB));
  try {
    const fd = openSync(path, 'w');
    try {
      for (let left = bytes; left > 0; ) left -= writeSync(fd, piece, 0, Math.min(left, piece.length));
    } finally {
      closeSync(fd);
    }
  } catch {
    removed(path);
  }
}

/** A stale mount lets nothing be removed either. */
function removed(path: string): boolean {
  try {
    rmSync(path, { force: true });
    return true;
  } catch {
    return false;
  }
}

function pathIn(dir: string): string {
  return join(dir, 'ballast');
}

function bytesOf(path: string): number {
  try {
    return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  } catch {
    return 0;
  }
}
