/** What a run that was told what has changed looks at. */
import type { ImportRequest } from './ingest-run.ts';
import type { Parent } from './parent.ts';
import { compileFilter } from './scan/filter.ts';
import type { Tally } from './tally.ts';
import { type ToldScope, type ToldScopeOptions, toldScope } from './told/told-scope.ts';

/** What a run was told of, looked at. Its problems, and what is elsewhere, are counted. @returns undefined when there is no parent to go by */
export function scopeOf(
  { request, signal }: { readonly request: ToldRequest; readonly signal: AbortSignal },
  parent: Parent | undefined,
  source: ToldScopeOptions['source'],
  tally: Tally,
): ToldScope | undefined {
  const { told, filters } = request;
  if (told === undefined || parent?.entries === undefined) return undefined;
  const { snapshot, entries } = parent;
  const { emit } = tally;
  const scope = toldScope({ source, told, parent: { snapshot, entries: entries.lookup() }, filter: compileFilter(filters), emit, signal });
  tally.elsewhere(scope.elsewhere);
  return scope;
}

type ToldRequest = Pick<ImportRequest, 'told' | 'filters'>;
