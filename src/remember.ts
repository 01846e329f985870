/** What a repository is known by, whether or not there is a new snapshot of it. */
import { writeHead } from './home/heads.ts';
import type { IngestRun } from './ingest.ts';
import type { RepositoryRecord, SnapshotRecord } from './model.ts';
import { pinHeads } from './pin-heads.ts';

/**
 * Nothing differed, but the repository may come from elsewhere now, by other rules; and a crash may have kept the head's text back.
 * @param silent peers that are not asked to pin its roots
 */
export async function remember(run: IngestRun, head: SnapshotRecord, silent: ReadonlySet<string> = new Set()): Promise<void> {
  const record = repositoryRecord(run, head.number);
  if (JSON.stringify(record) !== JSON.stringify(run.index.repository(run.repository))) await run.index.saveRepository(record);
  writeHead(run.heads, run.repository, head.cid);
  await pinHeads({ ...run, silent }, run.repository);
}

export function repositoryRecord({ repository, source, profile, chunker, metadata, filters }: IngestRun, head: number): RepositoryRecord {
  return { name: repository, source, head, profile: profile.name, chunker, metadata, filters };
}
