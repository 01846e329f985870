/** At which snapshots the IPNS name of a repository may point, as its record says: they are not forgotten. */
import type { RepositoryRecord } from '../core/model.ts';

export type PublishedAt = Pick<RepositoryRecord, 'published' | 'publishing'>;

export function mayBePublished({ published, publishing = [] }: PublishedAt, number: number): boolean {
  return number === published || publishing.includes(number);
}
