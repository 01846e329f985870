/** What the index remembers of a repository, as a run was told it. */
import type { RepositoryRecord } from '../core/model.ts';
import type { Index } from '../index/index.ts';
import type { ImportRequest } from './ingest-run.ts';

/** @param head number of the head @param newest that of the newest snapshot: a larger one, if the gate holds it back */
export function repositoryRecord(request: ImportRequest, index: Index, head: number, newest: number): RepositoryRecord {
  const { repository, source, profile, chunker, metadata, filters, copyLinks, ownDemand, ownGate } = request;
  const { formerNames, published, publishing, renamedFrom, tags, upkeep } = index.repository(repository) ?? {};
  return {
    name: repository,
    source,
    head,
    ...(newest > head ? { held: newest } : {}),
    ...(ownGate === undefined ? {} : { gate: ownGate }),
    profile: profile.name,
    chunker,
    metadata,
    filters,
    ...(copyLinks ? { copyLinks } : {}),
    ...ownDemand,
    ...(formerNames === undefined ? {} : { formerNames }),
    ...(published === undefined ? {} : { published }),
    ...(publishing === undefined ? {} : { publishing }),
    ...(renamedFrom === undefined ? {} : { renamedFrom }),
    ...(upkeep === undefined ? {} : { upkeep }),
    ...(tags === undefined ? {} : { tags }),
  };
}
