/**
 * `rm`: removes a repository with all of its snapshots, and frees the space that nothing else needs.
 *
 *   its head's text, the memory of its last runs → one transaction (record and snapshots) → roots unpinned → prune
 *
 * Before the transaction the repository is whole, only its next update is slower; after it the repository is gone, and the next prune frees
 * what is left of it on the peers.
 */
import { ShardctlError } from '../../core/errors.ts';
import { dropHead } from '../../home/heads.ts';
import type { Maintenance } from '../maintenance.ts';
import { type Pruned, prune } from '../prune/prune.ts';

/** Only shards that nothing else needs are removed. Repacking the others would give snapshots of other repositories new CIDs. */
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
