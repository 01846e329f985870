/**
 * Ballast: a file in the home and in each local peer that reserves some space on a disk which others may fill. A command that frees
 * space has to write first: a lock, the index, the catalogues of the snapshots that stay. On a full disk it deletes the ballast, and
 * makes it again at its end. Nothing depends on it: without ballast, such a command fails on a full disk like any other.
 */
import { randomFillSync } from 'node:crypto';
import { closeSync, lstatSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { freeBytesIn } from '../core/disk-space.ts';
import { removeFileSync } from '../core/remove-file.ts';
import type { HomePaths } from './home.ts';

const MIB = 1024 * 1024;
/** Twice the free space without which the index is not written (`index/free-space.ts`). Measured: forget, prune and repair of small homes write less than 1 MiB. */
const LEAST_BYTES = 4 * MIB;
const MOST_BYTES = 64 * MIB;
/** With less, a command that frees space would still find too little. */
const USEFUL_BYTES = 2.5 * MIB;
/** While no space is short, ballast is made only where this many times its size is free. */
const ROOM = 4;

/** A directory that has ballast. */
export interface Ballasted {
  readonly dir: string;
  /** File of the tables, all of which a command that frees space may write again. */
  readonly tables?: string;
}

/** The home and the local peers outside of it: those inside share its disk. @param peers directories of the local peers */
export function placesOf(home: HomePaths, peers: readonly string[]): Ballasted[] {
  const elsewhere = peers.filter((dir) => !dir.startsWith(`${home.dir}/`));
  return [{ dir: home.dir, tables: join(home.index, 'tables', 'data.mdb') }, ...elsewhere.map((dir) => ({ dir }))];
}

/** @returns whether there was any */
export function throwOff({ dir }: Ballasted): boolean {
  const path = pathIn(dir);
  return bytesOf(path) > 0 && removed(path);
}

/** Deletes the ballast where less space is free than the ballast takes. */
export function throwOffWhereFull(places: readonly Ballasted[]): void {
  for (const place of places) if (freeBytesIn(place.dir) < wantedIn(place)) throwOff(place);
}

/** Makes the ballast. @param isShort take what is free now, before others do, even if it is little; else only where there is plenty */
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

/** Writes random bytes, because on some file systems zeros and holes take no space. */
function write(path: string, bytes: number): void {
  const piece = randomFillSync(Buffer.allocUnsafe(MIB));
  try {
    // Made and never opened: whoever shares the peer may have put a symlink there, or a FIFO.
    removeFileSync(path);
    const fd = openSync(path, 'wx');
    try {
      for (let left = bytes; left > 0; ) left -= writeSync(fd, piece, 0, Math.min(left, piece.length));
    } finally {
      closeSync(fd);
    }
  } catch {
    removed(path);
  }
}

/** @returns false where the file cannot be removed, as on a stale mount */
function removed(path: string): boolean {
  try {
    removeFileSync(path);
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
    const found = lstatSync(path, { throwIfNoEntry: false });
    return found?.isFile() === true ? found.size : 0;
  } catch {
    return 0;
  }
}
