/** What frees space must work where there is none: see `home/ballast.ts`. */
import { ShardctlError } from '../../core/errors.ts';
import { placesOf, takeBallast, throwOff, throwOffWhereFull } from '../../home/ballast.ts';
import type { IndexOptions } from '../../index/index.ts';
import type { Context } from '../command-line/context.ts';
import { localPaths, type Session, settingsIn, writing } from './session.ts';

/** As `writing`, for what frees space: on a full disk it has the room that the ballast has kept. */
export async function freeing<T>(
  context: Context,
  work: (session: Session) => Promise<T>,
  options: Pick<IndexOptions, 'checkBlocks'> = {},
): Promise<T> {
  const config = await settingsIn(context);
  const peers = config === undefined ? [] : localPaths(context.home, config);
  const places = placesOf(
    context.home,
    peers.map(([, dir]) => dir),
  );
  throwOffWhereFull(places);
  try {
    return await writing(context, work, options).catch((error: unknown) => {
      // A quota is seen only when it is met.
      if (!isNoSpace(error) || places.filter(throwOff).length === 0) throw error;
      return writing(context, work, options);
    });
  } finally {
    takeBallast(places, true);
  }
}

export function isNoSpace(error: unknown): error is ShardctlError {
  return error instanceof ShardctlError && error.code === 'NO_SPACE';
}
