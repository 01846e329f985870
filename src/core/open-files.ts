/** How many files this process may have open. */
import { readFileSync } from 'node:fs';
import { isShortage } from './errors.ts';

/** Node loads what a program imports side by side: that alone takes up to 80 files. */
const ENOUGH = 128;

/** Undefined where the system does not say: not Linux. */
export function mostOpenFiles(): number | undefined {
  try {
    return softLimit();
  } catch {
    return undefined;
  }
}

/** Why a module was not loaded: of a package whose files it may not open, Node says that there is none. */
export function loadFailure(error: unknown): unknown {
  if ((error as { code?: unknown } | null)?.code !== 'ERR_MODULE_NOT_FOUND') return error;
  try {
    if ((softLimit() ?? ENOUGH) >= ENOUGH) return error;
  } catch (unread) {
    // The others that were being loaded are still open.
    return isShortage(unread) ? unread : error;
  }
  return Object.assign(new Error('EMFILE: too many open files'), { code: 'EMFILE' });
}

function softLimit(): number | undefined {
  const [, soft] = /^Max open files\s+(\d+|unlimited)/m.exec(readFileSync('/proc/self/limits', 'latin1')) ?? [];
  if (soft === 'unlimited') return Number.POSITIVE_INFINITY;
  return soft === undefined ? undefined : Number(soft);
}
