/** Whether a shard that is on a peer already is intact there. */
import { isDamage, ShardctlError } from '../core/errors.ts';
import type { ShardReader } from './peer.ts';

/**
 * Reads the shard to its end. A put meets its shard on the peer only after a crash, with a lost index, or when another home has put it:
 * then its name, its size and its pin are no evidence.
 * @returns false also when it is not there, because another home has removed it meanwhile @throws every other failure to open or read it
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
