/** Judges a Python index: the pages below `simple/`, and the files that they name. */
import { type ByteString, DIRECTORY, FILE } from '../../core/model.ts';
import { joinBytes, partsOf } from '../../core/path-bytes.ts';
import type { Comparison } from '../claims/comparison.ts';
import { PAGES, pageClaims } from './project-page.ts';

export const SIMPLE = 'simple';

/** @param index the directory that `simple` is in @param projects names of directories below `simple`; all of them when undefined */
export async function judgePythonIndex(comparison: Comparison, index: ByteString, projects?: ReadonlySet<ByteString>): Promise<void> {
  const { tree, signal } = comparison;
  const simple = joinBytes(index, SIMPLE);
  if ((await tree.entry(simple))?.kind !== DIRECTORY) return;
  for (const project of projects ?? (await tree.names(simple))) {
    signal.throwIfAborted();
    for (const name of PAGES) {
      const page = joinBytes(simple, `${project}/${name}`);
      if ((await tree.entry(page))?.kind === FILE) await judgePage(comparison, { index, page });
    }
  }
}

async function judgePage(comparison: Comparison, place: { readonly index: ByteString; readonly page: ByteString }): Promise<void> {
  const { tree, findings } = comparison;
  const { passed } = tree;
  const now = () => pageClaims(tree, place);
  findings.kinds.add('pypi');
  if (passed !== undefined && (await comparison.isSame(place.page))) await comparison.sameIndex('pypi', place.page, now);
  else await comparison.index('pypi', place.page, now, passed === undefined ? undefined : () => pageClaims(passed, place));
}

/**
 * The projects that a changed path may belong to: that of a page; of a file, those that its name begins with (PEP 427, PEP 625), since
 * which hyphen ends the project's name stands nowhere. Names are as PEP 503 has them.
 */
export function projectsOf(index: ByteString, path: ByteString): readonly ByteString[] {
  const simple = `${joinBytes(index, SIMPLE)}/`;
  if (path.startsWith(simple)) return [path.slice(simple.length).split('/')[0] ?? ''];
  const parts = partsOf(path).name.split('-');
  return parts.slice(0, 8).map((_, end) =>
    parts
      .slice(0, end + 1)
      .join('-')
      .toLowerCase()
      .replace(/[-_.]+/g, '-'),
  );
}
