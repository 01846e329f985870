/**
 * What the head contradicts already. Its readers meet it in any case, so it is no reason to hold back the next tree: a mirror that leaves out
 * packages on purpose would be held back for ever.
 *
 * A contradiction is an old one when the head's index in the same place says the same of the same path, and the same lies at that path, or
 * nothing in both trees: a file that is torn in another way than before is a new one. The head's indexes are read for this, and of its other
 * files those alone that the tree contradicts.
 */
import { ShardctlError } from '../core/errors.ts';
import type { JudgedTree, StoredTree } from '../core/gate.ts';
import type { ByteString } from '../core/model.ts';
import type { Contradiction } from '../core/verdict.ts';
import { isSameEntry } from './claims/comparison.ts';
import type { Findings } from './claims/findings.ts';
import { packingOf } from './text/unpacked.ts';

/**
 * Sets apart what the head has, too.
 * @param judgeHead judges these paths of the head as a tree of which nothing was passed
 */
export async function setApartOld(
  findings: Findings,
  tree: JudgedTree,
  judgeHead: (only: ReadonlySet<ByteString>) => Promise<Findings>,
): Promise<void> {
  const all = findings.all();
  if (tree.head === undefined || all.length === 0) return;
  const old = new Set((await judgedHead(judgeHead, all)).map(placeOf));
  for (const contradiction of all)
    if (old.has(placeOf(contradiction)) && (await isSameAt(contradiction.path, tree, tree.head))) findings.setApart(contradiction);
}

/** A head that cannot be read says nothing. */
async function judgedHead(
  judgeHead: (only: ReadonlySet<ByteString>) => Promise<Findings>,
  all: readonly Contradiction[],
): Promise<readonly Contradiction[]> {
  try {
    return (await judgeHead(new Set(all.map(({ path }) => path)))).all();
  } catch (error) {
    if (error instanceof ShardctlError) return [];
    throw error;
  }
}

/** A `primary.xml` has another name each time, and an index may be read in another packing. */
function placeOf({ kind, what, index, path }: Contradiction): string {
  const stem = index.slice(0, index.length - packingOf(index).length).replace(/(^|\/)[0-9a-f]{32,128}-(?=[^/]*$)/, '$1');
  return `${kind}\0${what}\0${stem}\0${path}`;
}

async function isSameAt(path: ByteString, tree: StoredTree, head: StoredTree): Promise<boolean> {
  // A kind that is missed is missed at the root.
  if (path === '') return true;
  const [before, now] = [await head.entry(path), await tree.entry(path)];
  return before === undefined || now === undefined ? before === now : isSameEntry(before, now);
}
