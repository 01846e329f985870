/** What a repository is known by, whether or not there is a new snapshot of it. */

import type { RepositoryRecord, SnapshotRecord } from '../core/model.ts';
import { writeHead } from '../home/heads.ts';
import { asksOtherwise } from '../storing/demand.ts';
import { pinHeads } from '../storing/pin-heads.ts';
import type { IngestRun } from './ingest-run.ts';
import type { Start } from './prepare.ts';

/**
 * Nothing differed, but the repository may come from elsewhere now, by other rules, or ask for more; and a crash may have kept the
 * head's text back.
 */
export async function remember(
  run: IngestRun,
  head: SnapshotRecord,
  { ledger, usableShards }: Pick<Start, 'ledger' | 'usableShards'>,
): Promise<void> {
  if (asksOtherwise(run)) {
    const shards = head.shards.map((number) => run.index.shard(number)).filter((shard) => shard !== undefined);
    // Before it is remembered: a run that dies in between does it again when it is told again.
    await (await import('../storing/copy/raise.ts')).raise(run, { ledger, usableShards }, shards);
  }
  const record = repositoryRecord(run, head.number);
  if (JSON.stringify(record) !== JSON.stringify(run.index.repository(run.repository))) await run.index.saveRepository(record);
  if (head.broughtBy !== undefined) {
    // It came from elsewhere, and the source has been read and is the same: it is this home's own from now on.
    const { broughtBy: _, ...own } = head;
    await run.index.replaceSnapshots([own], []);
  }
  writeHead(run.heads, run.repository, head.cid);
  await pinHeads({ ...run, silent: ledger.silent() }, run.repository);
}

export function repositoryRecord(run: IngestRun, head: number): RepositoryRecord {
  const { repository, source, profile, chunker, metadata, filters, copyLinks, ownDemand } = run;
  const { formerNames } = run.index.repository(repository) ?? {};
  return {
    name: repository,
    source,
    head,
    profile: profile.name,
    chunker,
    metadata,
    filters,
    ...(copyLinks ? { copyLinks } : {}),
    ...ownDemand,
    ...(formerNames === undefined ? {} : { formerNames }),
  };
}
