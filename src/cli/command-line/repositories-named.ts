/** Which repositories are meant, and in which order. */
import { ShardctlError } from '../../core/errors.ts';
import type { RepositoryRecord } from '../../core/model.ts';

/**
 * The repositories that a command line names, for every command that takes several.
 * @returns each once, in the order of their names
 * @throws ShardctlError `NOT_FOUND` for the first name that no repository has
 */
export function repositoriesNamed(all: readonly RepositoryRecord[], names: readonly string[]): RepositoryRecord[] {
  const stranger = names.find((name) => !all.some((repository) => repository.name === name));
  if (stranger !== undefined) throw new ShardctlError('NOT_FOUND', `no repository "${stranger}"`, { hint: thereIs(all) });
  return inOrder(all.filter(({ name }) => names.includes(name)));
}

export function inOrder(repositories: readonly RepositoryRecord[]): RepositoryRecord[] {
  return repositories.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

export function thereIs(all: readonly RepositoryRecord[]): string {
  return `there is ${
    inOrder(all)
      .map(({ name }) => name)
      .join(', ') || 'none yet'
  }`;
}
