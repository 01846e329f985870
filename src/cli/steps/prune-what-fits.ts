/** Frees as much as the room on the peers allows: for `prune` and `check`. */
import type { Maintenance } from '../../maintain/maintenance.ts';
import { type Pruned, type PruneOptions, prune } from '../../maintain/prune/prune.ts';
import { isNoSpace } from '../session/full-disk.ts';

/**
 * Copies what is in use out of thin shards, and then removes these. Where the copies do not fit, the reserve of the peers is used for
 * them; where that is too small, too, only dead shards are removed, which needs no room and makes some.
 */
export async function pruneWhatFits(run: Maintenance, options: PruneOptions): Promise<Pruned> {
  const unlessFull = async (work: Promise<Pruned>, otherwise: (error: Error) => Promise<Pruned>): Promise<Pruned> =>
    await work.catch((error: unknown) => {
      if (!isNoSpace(error) || options.dryRun) throw error;
      return otherwise(error);
    });
  return await unlessFull(prune(run, options), () =>
    unlessFull(prune(run, { ...options, intoReserve: true }), async (error) => {
      const pruned = await prune(run, { ...options, maxRepack: 0 });
      if (pruned.freedBytes === 0) throw error;
      const message = `there is no room to copy what is in use of thin shards, and only what is dead is gone: ${error.message}`;
      run.emit({ type: 'warning', message, hint: 'run `shardctl prune` again' });
      return pruned;
    }),
  );
}
