/** The second thread of an update, started before the update itself is loaded. */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { SecondThread } from '../update/scan/second-thread.ts';

/** Bytes of stat data, about 20,000 entries, below which one thread has finished before a second one has started. */
const LARGE_BYTES = 1_200_000;

/** @param index its directory @returns undefined when no repository is large enough for two */
export function startAhead(index: string): SecondThread | undefined {
  return hasLarge(join(index, 'entries')) ? new SecondThread() : undefined;
}

function hasLarge(entries: string): boolean {
  try {
    return readdirSync(entries, { withFileTypes: true }).some(
      (repository) =>
        repository.isDirectory() &&
        readdirSync(join(entries, repository.name)).some(
          (name) => name.endsWith('.hot') && statSync(join(entries, repository.name, name)).size >= LARGE_BYTES,
        ),
    );
  } catch {
    // There is no index yet, or another run is changing it: the update finds out for itself.
    return false;
  }
}
