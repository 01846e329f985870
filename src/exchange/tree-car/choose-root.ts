/** Which of a CAR's roots is the tree that is taken: the only one, or the one that the user named. */
import { ShardctlError } from '../../core/errors.ts';
import { DAG_PB } from '../../core/model.ts';
import { type CidVersion, parseCid, sameDigest, textOfCid } from '../../dag/cid.ts';
import { type AnyCid, blockOf, type FoundBlock, kindOf } from '../../dag/foreign-cid.ts';

/** Roots that a message names. */
const NAMED = 8;

/** A root that a tree can have. */
export type TreeRoot = FoundBlock & { readonly version: CidVersion };

/**
 * @param roots each once
 * @param name what the CAR is called in messages
 * @param wanted CID of the root to take, where it has several
 * @throws ShardctlError `DAMAGE` when no root can be a tree's; `USAGE` when it is not said which root is wanted
 */
export function chooseRoot(roots: readonly AnyCid[], name: string, wanted: string | undefined): TreeRoot {
  return wanted === undefined ? onlyRoot(roots, name) : wantedRoot(roots, name, wanted);
}

function onlyRoot(roots: readonly AnyCid[], name: string): TreeRoot {
  const [first] = roots;
  if (first === undefined)
    throw new ShardctlError('USAGE', `${name} does not say which of its blocks is the root`, { hint: 'say it: --root CID' });
  if (roots.length === 1) return treeRoot(first, name);
  const possible = roots.find((root) => blockOf(root)?.codec === DAG_PB);
  if (possible === undefined)
    throw new ShardctlError('DAMAGE', `${name} has ${roots.length} roots, and none of them is a tree: ${named(roots)}`);
  throw new ShardctlError('USAGE', `${name} has ${roots.length} roots: ${named(roots)}`, {
    hint: `say which one is wanted: --root ${textOfCid(possible.bytes)}`,
  });
}

/** A CAR without roots may have any tree in it; one with roots has those. */
function wantedRoot(roots: readonly AnyCid[], name: string, wanted: string): TreeRoot {
  // As a message named it: a root that is inline in its CID cannot be parsed as one of ours.
  const root = roots.find(({ bytes }) => textOfCid(bytes) === wanted);
  if (root !== undefined) return treeRoot(root, name);
  const { codec, digest, version } = parseCid(wanted);
  const isWanted = (other: AnyCid) => {
    const block = blockOf(other);
    return block !== undefined && block.codec === codec && sameDigest(block.digest, digest);
  };
  if (roots.length === 0 || roots.some(isWanted)) return copyOf({ codec, digest }, version);
  throw new ShardctlError('USAGE', `${wanted} is not a root of ${name}`, { hint: `it has ${named(roots)}` });
}

function treeRoot(root: AnyCid, name: string): TreeRoot {
  const block = blockOf(root);
  if (block !== undefined) return copyOf(block, root.version);
  throw new ShardctlError(
    'DAMAGE',
    `${name} has the root ${textOfCid(root.bytes)}, which is ${kindOf(root)}: a tree is dag-pb under sha2-256`,
  );
}

/** In memory of its own: the CAR's header is a view of what was read. */
function copyOf({ codec, digest, inline }: FoundBlock, version: CidVersion): TreeRoot {
  return { codec, digest: Uint8Array.from(digest), version, ...(inline === undefined ? {} : { inline: Uint8Array.from(inline) }) };
}

function named(roots: readonly AnyCid[]): string {
  const texts = roots.slice(0, NAMED).map(({ bytes }) => textOfCid(bytes));
  return `${texts.join(', ')}${roots.length > NAMED ? ', …' : ''}`;
}
