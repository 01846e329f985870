/** Whether a shard that is on a peer already is there whole. */
import { isDamage, ShardctlError } from '../core/errors.ts';
import type { ShardReader } from './peer.ts';

/**
 * Reads the shard to its end. It is met on a peer only after a crash, with a lost index, or by a second home: its name, its size
 * and its pin are no evidence.
 * One that another home takes away between two looks is not there whole either.
 * @throws whatever `open` and reading throw, other than `DAMAGE` and `NOT_FOUND`
 */
export async function isIntact(open: () => Promise<ShardReader>): Promise<boolean> {
  let intact = true;
  try {
    const reader = await open();
    try {
      for await (const _ of reader.scan(() => {
        intact = false;
      }));
    } finally {
      await reader.close();
    }
  } catch (error) {
    if (isDamage(error) || (error instanceof ShardctlError && error.code === 'NOT_FOUND')) return false;
    throw error;
  }
  return intact;
}
