/** Which repositories are meant, and in which order. */
import { displayText } from '../../core/display.ts';
import { ShardctlError } from '../../core/errors.ts';
import type { RepositoryRecord } from '../../core/model.ts';

/**
 * The repositories that a command line names, for every command that takes several.
 * @returns each once, in the order of their names
 * @throws ShardctlError `NOT_FOUND` for the first name that no repository has
 */
export function repositoriesNamed(all: readonly RepositoryRecord[], names: readonly string[]): RepositoryRecord[] {
  const stranger = names.find((name) => !all.some((repository) => repository.name === name));
  if (stranger !== undefined) throw unknown(stranger, all);
  return inOrder(all.filter(({ name }) => names.includes(name)));
}

/** @throws ShardctlError `NOT_FOUND` when no repository has that name */
export function repositoryNamed(all: readonly RepositoryRecord[], name: string): RepositoryRecord {
  const found = all.find((repository) => repository.name === name);
  if (found === undefined) throw unknown(name, all);
  return found;
}

function unknown(name: string, all: readonly RepositoryRecord[]): ShardctlError {
  return new ShardctlError('NOT_FOUND', `no repository "${displayText(name)}"`, { hint: thereIs(all) });
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
