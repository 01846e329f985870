/** Commands that free space must work on a full disk, too: see `home/ballast.ts`. */
import { isNoSpace as isNoSpaceErrno } from '../../core/errno.ts';
import { errnoOf, ShardctlError } from '../../core/errors.ts';
import { placesOf, takeBallast, throwOff, throwOffWhereFull } from '../../home/ballast.ts';
import type { IndexOptions } from '../../index/options.ts';
import type { Context } from '../command-line/context.ts';
import { localPaths } from './peers.ts';
import { type Session, type SharedSession, sharing, writing } from './session.ts';
import { settingsIn } from './settings.ts';

/**
 * As `writing`, for what frees space: on a full disk it has the room that the ballast has kept.
 * @param work is run a second time where it failed for want of space, with what it has done the first time in the index: it must be
 *   able to go on from there, and says what it has done at its very end
 */
export async function freeing<T>(
  context: Context,
  work: (session: Session) => Promise<T>,
  options: Pick<IndexOptions, 'checkBlocks'> = {},
): Promise<T> {
  return await onFullDisk(context, work, (once) => writing(context, once, options));
}

/** As `freeing`, beside runs on other repositories: as `sharing`. */
export async function freeingBeside<T>(context: Context, work: (session: SharedSession) => Promise<T>): Promise<T> {
  return await onFullDisk(context, work, (once) => sharing(context, once));
}

async function onFullDisk<T, S>(
  context: Context,
  work: (session: S) => Promise<T>,
  within: (work: (session: S) => Promise<T>) => Promise<T>,
): Promise<T> {
  const config = await settingsIn(context);
  const peers = config === undefined ? [] : localPaths(context.home, config);
  const places = placesOf(
    context.home,
    peers.map(([, dir]) => dir),
  );
  throwOffWhereFull(places);
  let isDone = false;
  const workOnce = async (session: S) => {
    const result = await work(session);
    isDone = true;
    return result;
  };
  try {
    return await within(workOnce).catch((error: unknown) => {
      // A quota is seen only when it is met. What has ended well, and has said so, is not done again because closing the home failed.
      if (isDone || !isShortOfSpace(error) || places.filter(throwOff).length === 0) throw error;
      return within(workOnce);
    });
  } finally {
    takeBallast(places, true);
  }
}

/** Also a failed system call on the home, which becomes such an error only where the run ends. */
function isShortOfSpace(error: unknown): boolean {
  return isNoSpace(error) || isNoSpaceErrno(errnoOf(error));
}

export function isNoSpace(error: unknown): error is ShardctlError {
  return error instanceof ShardctlError && error.code === 'NO_SPACE';
}
