/** Judges a Python index: the pages below `simple/`, and the files that they name. */
import type { StoredTree } from '../../core/gate.ts';
import { type ByteString, DIRECTORY, FILE } from '../../core/model.ts';
import { joinBytes } from '../../core/path-bytes.ts';
import type { Claims } from '../claims/claim.ts';
import type { Comparison } from '../claims/comparison.ts';
import { PAGES, SIMPLE } from '../claims/index-files.ts';
import { CLAIMS } from '../claims/unit-reader.ts';
import { pageClaims } from './project-page.ts';

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
  const claimsIn = (of: StoredTree) =>
    async function* (): Claims {
      yield (await pageClaims(of, place)) ?? [];
    };
  if (passed !== undefined && (await comparison.isSame(place.page))) {
    findings.kinds.add('pypi');
    return await comparison.sameIndex('pypi', place.page, CLAIMS, claimsIn(tree));
  }
  const claims = await comparison.topIndex('pypi', place.page, (of) => pageClaims(of, place));
  if (claims === undefined) return;
  const now = async function* (): Claims {
    yield claims;
  };
  await comparison.index('pypi', place.page, CLAIMS, now, passed && claimsIn(passed));
}
