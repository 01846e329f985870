/** Judges a repository of RPM packages: `repomd.xml`, the metadata files that it names, and the packages that `primary.xml` names. */
import type { StoredTree } from '../../core/gate.ts';
import { type ByteString, FILE } from '../../core/model.ts';
import { joinBytes } from '../../core/path-bytes.ts';
import { type Claim, NoUnpacker, UnreadableIndex } from '../claims/claim.ts';
import type { Comparison } from '../claims/comparison.ts';
import { REPOMD } from '../claims/index-files.ts';
import { CLAIMS } from '../claims/unit-reader.ts';
import type { Units } from '../claims/units.ts';
import { packingOf, unpacked } from '../text/unpacked.ts';
import { parsedPrimary, primaryReader, primaryUnits } from './primary.ts';
import { type RepositoryData, repositoryData } from './repomd.ts';

const MOST_REPOMD_BYTES = 16 * 1024 ** 2;

/** @param repository the directory that `repodata` is in */
export async function judgeRpm(comparison: Comparison, repository: ByteString): Promise<void> {
  const { findings } = comparison;
  const repomd = joinBytes(repository, REPOMD);
  const data = await comparison.topIndex('rpm', repomd, (of) => dataOf(of, repository));
  if (data === undefined) return;
  findings.indexes++;
  let primary: Claim | undefined;
  for (const { type, claim } of data) {
    findings.entries++;
    const isThere = await comparison.check('rpm', repomd, claim);
    if (type === 'primary' && isThere) primary = claim;
  }
  if (primary?.path !== undefined) await judgePrimary(comparison, repository, primary.path);
}

async function judgePrimary(comparison: Comparison, repository: ByteString, path: ByteString): Promise<void> {
  const { tree } = comparison;
  const { passed } = tree;
  const reader = primaryReader(repository);
  const before = await passedPrimary(comparison, repository);
  const unitsIn = (of: StoredTree, at: ByteString) => () => packagesOf(comparison, of, at, (bytes) => primaryUnits(repository, bytes));
  try {
    // Its name has its hash in it, mostly; so the one before is found by the repomd.xml before.
    if (before === path && (await comparison.isSame(path))) await comparison.sameIndex('rpm', path, reader, unitsIn(tree, path));
    else if (passed !== undefined && before !== undefined)
      await comparison.index('rpm', path, reader, unitsIn(tree, path), unitsIn(passed, before));
    else {
      const claims = () => packagesOf(comparison, tree, path, (bytes) => parsedPrimary(repository, bytes));
      await comparison.index('rpm', path, CLAIMS, claims, undefined);
    }
  } catch (error) {
    if (!(error instanceof NoUnpacker)) throw error;
    comparison.leaveOut(error);
  }
}

async function passedPrimary({ tree }: Comparison, repository: ByteString): Promise<ByteString | undefined> {
  if (tree.passed === undefined) return undefined;
  try {
    const data = await dataOf(tree.passed, repository);
    return data?.find(({ type }) => type === 'primary')?.claim.path;
  } catch (error) {
    if (error instanceof UnreadableIndex) return undefined;
    throw error;
  }
}

async function dataOf(tree: StoredTree, repository: ByteString): Promise<readonly RepositoryData[] | undefined> {
  const entry = await tree.entry(joinBytes(repository, REPOMD));
  if (entry?.kind !== FILE) return undefined;
  if (entry.size > MOST_REPOMD_BYTES) throw new UnreadableIndex('is longer than 16 MiB');
  const data = await repositoryData(repository, tree.bytes(entry));
  if (!data.some(({ type }) => type === 'primary')) throw new UnreadableIndex('names no primary.xml');
  return data;
}

async function* packagesOf<Unit>(
  { signal }: Comparison,
  tree: StoredTree,
  primary: ByteString,
  read: (bytes: AsyncIterable<Uint8Array>) => Units<Unit>,
): Units<Unit> {
  const entry = await tree.entry(primary);
  if (entry?.kind === FILE) yield* read(unpacked(packingOf(primary), tree.bytes(entry), signal));
}
