/**
 * `rm`: a repository goes, with all of its snapshots and with the space that nothing else needs.
 *
 *   its head's text, the memory of its last runs → one transaction (record and snapshots) → roots unpinned → prune
 *
 * Up to the transaction the repository is there and whole, only slower to update; after it there is none, and what is left of it on
 * the peers any prune frees.
 */
import { ShardctlError } from '../../core/errors.ts';
import { dropHead } from '../../home/heads.ts';
import type { Maintenance } from '../maintenance.ts';
import { type Pruned, prune } from '../prune/prune.ts';

/** Whole shards go. What is in use is not copied out of those that other repositories need in part: they would get other CIDs. */
const LIMITS = { maxUnused: { percent: 100 }, maxRepack: 0, keepSurplus: true } as const;

/**
 * @param names of repositories that there are
 * @throws ShardctlError when they are gone, and their space could not be freed
 */
export async function rm(run: Maintenance, names: readonly string[], { dryRun }: { readonly dryRun: boolean }): Promise<Pruned> {
  if (dryRun) return await prune(run, { ...LIMITS, dryRun, without: names });
  for (const name of names) dropHead(run.heads, name);
  await run.index.removeRepositories(names);
  try {
    return await prune(run, { ...LIMITS, dryRun });
  } catch (error) {
    if (!(error instanceof ShardctlError) || run.signal.aborted) throw error;
    const { code, message, hint, retryable } = error;
    throw new ShardctlError(code, `${names.join(', ')}: removed, but the space is not free yet: ${message}`, {
      hint: hint === undefined ? 'run `shardctl prune`' : `${hint}; then run \`shardctl prune\``,
      retryable,
      cause: error,
    });
  }
}
