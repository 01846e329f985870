/** Writes what the index remembers of a repository, when a run makes no new snapshot. */
import type { RepositoryRecord, SnapshotRecord } from '../core/model.ts';
import { writeHead } from '../home/heads.ts';
import type { Index } from '../index/index.ts';
import { asksOtherwise } from '../storing/demand.ts';
import { pinHeads } from '../storing/pin-heads.ts';
import type { ImportRequest, IngestRun } from './ingest-run.ts';
import type { Start } from './prepare.ts';

/**
 * Nothing differed in the tree. But the repository may have another source, other rules, or a larger demand than the index remembers,
 * and a run that was killed may not have written the head's file.
 */
export async function remember(
  run: IngestRun,
  head: SnapshotRecord,
  { ledger, usableShards }: Pick<Start, 'ledger' | 'usableShards'>,
): Promise<void> {
  const { request, home, control } = run;
  const { index, peers } = home;
  const { repository, replication, allocateBy, ownDemand } = request;
  const asking = { index, repository, ownDemand };
  if (asksOtherwise(asking)) {
    const shards = head.shards.map((number) => index.shard(number)).filter((shard) => shard !== undefined);
    // Before it is remembered: a run that dies in between does it again when it is told again.
    await (await import('../storing/copy/raise.ts')).raise(
      { ...home, ...control, ...asking, replication, allocateBy },
      { ledger, usableShards },
      shards,
    );
  }
  const record = repositoryRecord(request, index, head.number);
  if (JSON.stringify(record) !== JSON.stringify(index.repository(repository))) await index.saveRepository(record);
  if (head.broughtBy !== undefined) {
    // `import-car` or `recover` brought this snapshot. The source has been compared with it and is the same: it counts as this home's own now.
    const { broughtBy: _, ...own } = head;
    await index.replaceSnapshots([own], []);
  }
  writeHead(home.heads, repository, head.cid);
  await pinHeads({ index, peers, emit: control.emit, silent: ledger.silent() }, repository);
}

export function repositoryRecord(request: ImportRequest, index: Index, head: number): RepositoryRecord {
  const { repository, source, profile, chunker, metadata, filters, copyLinks, ownDemand } = request;
  const { formerNames, published, renamedFrom } = index.repository(repository) ?? {};
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
    ...(published === undefined ? {} : { published }),
    ...(renamedFrom === undefined ? {} : { renamedFrom }),
  };
}
