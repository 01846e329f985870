/** Brings a CAR into a local peer: checked, flushed, and under its name only then. */
import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { copyFile, open, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { syncPath } from '../../../core/durable-files.ts';
import { isForbidden, isUnsupported } from '../../../core/errno.ts';
import { errnoOf } from '../../../core/errors.ts';
import { checkCar } from '../../car-check.ts';
import type { SealedShard, Throttle } from '../../peer.ts';

/** A file in `tmp` that nobody has written to for this long belongs to no run that is alive. */
const ABANDONED_MS = 10 * 60 * 1000;

/** As this file and removals call them; whatever else is in `tmp` is not ours. */
const OURS = /^(?:leaving\.[a-z2-7]+\.)?[0-9a-f-]{36}(?:\.car)?$/;

export interface CopyPlace {
  /** Where a copy is until it is complete. */
  readonly temporary: string;
  /** What it is called then. */
  readonly path: string;
  readonly signal: AbortSignal;
  readonly throttle?: Throttle | undefined;
}

export async function copyCar(shard: SealedShard, { temporary, path, signal, throttle }: CopyPlace): Promise<void> {
  const fresh = join(temporary, `${randomUUID()}.car`);
  try {
    if (throttle !== undefined) await copySlowly(shard.carPath, fresh, throttle);
    else await copyInside(shard.carPath, fresh);
    signal.throwIfAborted();
    await syncPath(fresh);
    await checkCar(fresh, shard);
    await rename(fresh, path);
  } catch (error) {
    await rm(fresh, { force: true });
    throw error;
  }
}

/** A reflink where the filesystem can, else copied inside the kernel; where that is refused, or the setting of the mode that goes with it, as bytes. */
async function copyInside(from: string, to: string): Promise<void> {
  try {
    await copyFile(from, to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
  } catch (error) {
    if (!isRefused(errnoOf(error))) throw error;
    await rm(to, { force: true });
    await copySlowly(from, to, async () => {});
  }
}

/** By the way that was tried, and not by the disk. */
function isRefused(errno: string | undefined): boolean {
  return errno === 'EXDEV' || isForbidden(errno) || isUnsupported(errno);
}

const PIECE_BYTES = 256 * 1024;

async function copySlowly(from: string, to: string, throttle: Throttle): Promise<void> {
  const [source, target] = [await open(from, 'r'), await open(to, 'wx')];
  try {
    const piece = Buffer.allocUnsafe(PIECE_BYTES);
    for (;;) {
      const { bytesRead } = await source.read(piece, 0, PIECE_BYTES);
      if (bytesRead === 0) return;
      await throttle(bytesRead);
      await target.appendFile(piece.subarray(0, bytesRead));
    }
  } finally {
    await source.close();
    await target.close();
  }
}

/**
 * Moves the CAR if it is on the same filesystem. Flushed first: a name must never appear before its content. A flush that took so
 * long that the put was given up leaves the file where it is: another peer reads it now.
 */
export async function moveCar(carPath: string, path: string, signal: AbortSignal): Promise<boolean> {
  try {
    await syncPath(carPath);
    signal.throwIfAborted();
    await rename(carPath, path);
    return true;
  } catch (error) {
    if (isRefused(errnoOf(error))) return false;
    throw error;
  }
}

/**
 * Removes what runs that died have left in `tmp`. Another home may be writing here at this moment: what was written to
 * lately stays, by the clock of the filesystem, which alone is the same for both.
 * @param isWanted whether a file is needed, however old it is
 */
export async function sweepTemporary(folder: string, isWanted: (name: string) => Promise<boolean>): Promise<void> {
  const probe = join(folder, randomUUID());
  await writeFile(probe, '');
  const { mtimeMs: now } = await stat(probe);
  await rm(probe);
  for (const file of await readdir(folder)) {
    if (!OURS.test(file)) continue;
    const path = join(folder, file);
    const written = (await stat(path).catch(() => undefined))?.mtimeMs ?? now;
    if (now - written > ABANDONED_MS && !(await isWanted(file))) await rm(path, { force: true });
  }
}
