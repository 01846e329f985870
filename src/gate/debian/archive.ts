/** Judges an archive of Debian packages: the suites below `dists/`, or a flat one, whose `Release` lies beside its `Packages`. */
import { type ByteString, FILE } from '../../core/model.ts';
import { joinBytes, partsOf } from '../../core/path-bytes.ts';
import type { Claims } from '../claims/claim.ts';
import type { Comparison } from '../claims/comparison.ts';
import { TRACES } from '../claims/index-files.ts';
import { SuiteJudge } from './suite.ts';
import { suitesOf } from './suites.ts';

/** Claims that are looked at to find out which directory the paths of a flat archive begin at. */
const MOST_SAMPLES = 20;

/** What a mirror script leaves at the root while it works; the name of the machine follows. */
const IN_PROGRESS = 'Archive-Update-in-Progress-';

/** @param archive the directory that `dists` is in */
export async function judgeArchive(comparison: Comparison, archive: ByteString, keyrings: readonly string[]): Promise<void> {
  const { tree, signal } = comparison;
  await judgeProgress(comparison, archive);
  const releases: ByteString[] = [];
  const suites: { readonly judge: SuiteJudge; readonly path: ByteString; readonly hasRelease: boolean }[] = [];
  let isKnown = comparison.isCredulous;
  for await (const { path, hasRelease } of suitesOf(tree, archive)) {
    signal.throwIfAborted();
    const judge = new SuiteJudge(comparison, path, keyrings, false);
    suites.push({ judge, path, hasRelease });
    isKnown = (await judge.read()) || isKnown;
    if (hasRelease) releases.push(joinBytes(path, 'InRelease'), joinBytes(path, 'Release'));
  }
  for (const { judge, path, hasRelease } of suites) {
    signal.throwIfAborted();
    if (hasRelease) await judge.judge(isKnown, async () => archive);
    else if (isKnown || (await judge.wasOne())) await missRelease(comparison, path);
  }
  if ((await tree.names(joinBytes(archive, TRACES))).length > 0)
    await (await import('./traces.ts')).judgeTraces(comparison, archive, releases);
}

/** Indexes of which no `Release` says what they should be. */
async function missRelease(comparison: Comparison, suite: ByteString): Promise<void> {
  const release = joinBytes(suite, 'Release');
  if ((await comparison.leavesOut(release)) || (await comparison.leavesOut(joinBytes(suite, 'InRelease')))) return;
  const { findings } = comparison;
  findings.kinds.add('debian');
  const detail = 'is not there, and neither is an InRelease';
  findings.contradict({ kind: 'debian', what: 'missing', index: release, path: release, detail });
}

/** @param directory the one that `Release` and `Packages` are in */
export async function judgeFlatArchive(comparison: Comparison, directory: ByteString, keyrings: readonly string[]): Promise<void> {
  await judgeProgress(comparison, directory);
  const judge = new SuiteJudge(comparison, directory, keyrings, true);
  await judge.read();
  await judge.judge(comparison.isCredulous, async (index) => await baseOfFlat(comparison, directory, index()));
}

/**
 * `deb URI directory/` takes paths from URI, which the tree does not know: it is the directory itself or one above, and the first from
 * which one of the first paths leads to a file is taken.
 */
async function baseOfFlat({ tree }: Comparison, directory: ByteString, claimsFrom: (base: ByteString) => Claims): Promise<ByteString> {
  for (let base = directory; ; base = partsOf(base).above) {
    let looked = 0;
    search: for await (const claims of claimsFrom(base)) {
      for (const { path } of claims) {
        if (path !== undefined && (await tree.entry(path))?.kind === FILE) return base;
        if (++looked === MOST_SAMPLES) break search;
      }
    }
    if (base === '' || looked === 0) return directory;
  }
}

async function judgeProgress({ tree, findings }: Comparison, archive: ByteString): Promise<void> {
  for (const name of await tree.names(archive)) {
    if (!name.startsWith(IN_PROGRESS)) continue;
    const path = joinBytes(archive, name);
    findings.contradict({ kind: 'debian', what: 'in-progress', index: path, path, detail: 'says that the archive is being written' });
  }
}
