import { setTimeout as sleep } from 'node:timers/promises';

/** So long a peer that is asked for its metric may hold a shard back; a later answer counts for the next one. */
const PATIENCE_MS = 500;

/** Resolves when the peers have been asked, or when that has taken too long to wait for: who answers later is heard all the same. */
export async function withPatience(asking: Promise<void>): Promise<void> {
  const patience = new AbortController();
  const enough = sleep(PATIENCE_MS, undefined, { signal: patience.signal }).catch(() => {});
  await Promise.race([asking, enough]).finally(() => patience.abort());
}
