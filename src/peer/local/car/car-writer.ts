/** Copies or moves a CAR into a local peer. It is checked and flushed before it gets its name. */
import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { copyFile, open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { syncPath } from '../../../core/durable-files.ts';
import { isForbidden, isUnsupported } from '../../../core/errno.ts';
import { errnoOf } from '../../../core/errors.ts';
import { removeFile } from '../../../core/remove-file.ts';
import { checkCar } from '../../car-check.ts';
import type { SealedShard, Throttle } from '../../peer.ts';

export interface CopyPlace {
  /** Directory of the copy until it is complete. */
  readonly temporary: string;
  /** Its path then. */
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
    await removeFile(fresh);
    throw error;
  }
}

/**
 * A reflink where the file system can make one, else a copy inside the kernel. Where the file system refuses that, or refuses to set the
 * mode that goes with it, the bytes are read and written.
 */
async function copyInside(from: string, to: string): Promise<void> {
  try {
    await copyFile(from, to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
  } catch (error) {
    if (!isRefused(errnoOf(error))) throw error;
    await removeFile(to);
    await copySlowly(from, to, async () => {});
  }
}

/** Whether the file system refuses this way to copy or move, as opposed to a disk that fails. */
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
 * Moves the CAR if it is on the same file system. The CAR is flushed first, because a name must never be there before its content.
 * If the put was given up during the flush, the file stays where it is: it is being read for another peer by then.
 * @returns false when it must be copied instead
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
