/** The second thread of an update, started before the update itself is loaded. */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { SecondThread } from '../update/scan/second-thread.ts';

/** Bytes of stat data, about 20,000 entries, below which one thread is done before another is up. */
const LARGE_BYTES = 1_200_000;

/** @param index directory of it @returns undefined when no repository is large enough for two */
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
    // No index yet, or one that is changing: the update itself will see.
    return false;
  }
}
