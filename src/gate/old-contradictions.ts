/**
 * What the head contradicts already. Its readers meet it in any case, so it is no reason to hold back the next tree: a mirror that leaves out
 * packages on purpose would be held back for ever.
 *
 * A contradiction is an old one when the head's index in the same place says the same of the same path, and the same lies at that path, or
 * nothing in both trees: a file that is torn in another way than before is a new one. The head's indexes are read for this, and of its other
 * files those alone that the tree contradicts.
 */
import { ShardctlError } from '../core/errors.ts';
import type { StoredTree } from '../core/gate.ts';
import type { ByteString } from '../core/model.ts';
import type { Contradiction, GateKind } from '../core/verdict.ts';
import { type ComparisonOptions, isSameEntry } from './claims/comparison.ts';
import type { Findings } from './claims/findings.ts';
import { LeftOutPackages } from './left-out-packages.ts';
import { packingOf } from './text/unpacked.ts';

/** What is asked of the head. */
export type HeadLook = Pick<ComparisonOptions, 'only' | 'onClaim'>;

/**
 * Sets apart what the head has, too, and what it leaves out in the same way.
 * @param mayLeaveOut whether what a partial mirror leaves out holds nothing back
 * @param judgeHead judges as much of the head, as a tree of which nothing was passed
 */
export async function setApartOld(
  findings: Findings,
  { tree, head }: { readonly tree: StoredTree; readonly head: StoredTree },
  mayLeaveOut: boolean,
  judgeHead: (look: HeadLook) => Promise<Findings>,
): Promise<void> {
  const all = findings.all();
  const leftOut = mayLeaveOut ? new LeftOutPackages(head, all, placeOfIndex) : undefined;
  const onClaim: HeadLook['onClaim'] = leftOut && ((kind, index, claim) => leftOut.note(kind, index, claim));
  const found = await judgedHead(judgeHead, { only: new Set(all.map(({ path }) => path)), onClaim });
  if (found === undefined) return;
  const old = new Set(found.map(placeOf));
  for (const one of all) {
    const isOld = old.has(placeOf(one)) && (await isSameAt(one.path, tree, head));
    if (isOld || (await leftOut?.has(one)) === true) findings.setApart(one);
  }
}

/** @returns undefined for a head that cannot be read: it says nothing */
async function judgedHead(judgeHead: (look: HeadLook) => Promise<Findings>, look: HeadLook): Promise<readonly Contradiction[] | undefined> {
  try {
    return (await judgeHead(look)).all();
  } catch (error) {
    if (error instanceof ShardctlError) return undefined;
    throw error;
  }
}

function placeOf({ kind, what, index, path }: Contradiction): string {
  return `${placeOfIndex(kind, index)}\0${what}\0${path}`;
}

/** A `primary.xml` has another name each time, and an index may be read in another packing. */
function placeOfIndex(kind: GateKind, index: ByteString): string {
  return `${kind}\0${index.slice(0, index.length - packingOf(index).length).replace(/(^|\/)[0-9a-f]{32,128}-(?=[^/]*$)/, '$1')}`;
}

async function isSameAt(path: ByteString, tree: StoredTree, head: StoredTree): Promise<boolean> {
  // A kind that is missed is missed at the root.
  if (path === '') return true;
  const [before, now] = [await head.entry(path), await tree.entry(path)];
  return before === undefined || now === undefined ? before === now : isSameEntry(before, now);
}
