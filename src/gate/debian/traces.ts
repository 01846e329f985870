/**
 * Trace files: each site that mirrors Debian writes `project/trace/SITE` when all else is written, and they travel with the archive. So a
 * `Release` or a file of the pool that is younger than all of them came with a run that has not ended. Times come from the tree's metadata;
 * a tree without any is not judged by them.
 */
import { type ByteString, FILE } from '../../core/model.ts';
import { joinBytes } from '../../core/path-bytes.ts';
import type { Comparison } from '../claims/comparison.ts';
import { TRACES } from '../claims/index-files.ts';

/** Nobody writes a trace any more that is older than that: it says nothing about this run. */
const ABANDONED_NS = 7n * 86_400n * 1_000_000_000n;

/** @param releases paths of the suites' `Release` and `InRelease`, which may be there */
export async function judgeTraces(comparison: Comparison, archive: ByteString, releases: readonly ByteString[]): Promise<void> {
  const { tree, changed, findings } = comparison;
  const directory = joinBytes(archive, TRACES);
  const traces = (await tree.names(directory)).filter((name) => !name.startsWith('_')).map((name) => joinBytes(directory, name));
  const trace = await youngest(comparison, traces);
  if (trace === undefined) return;
  const pool = joinBytes(archive, 'pool/');
  const file = await youngest(comparison, [...releases, ...(changed?.arrived ?? []).filter((path) => path.startsWith(pool))]);
  if (file === undefined || file.mtimeNs <= trace.mtimeNs || file.mtimeNs - trace.mtimeNs > ABANDONED_NS) return;
  findings.contradict({
    kind: 'debian',
    what: 'stale-trace',
    index: trace.path,
    path: file.path,
    detail: 'is younger than every trace of a finished run',
  });
}

async function youngest({ tree }: Comparison, paths: readonly ByteString[]): Promise<{ path: ByteString; mtimeNs: bigint } | undefined> {
  let best: { path: ByteString; mtimeNs: bigint } | undefined;
  for (const path of paths) {
    const entry = await tree.entry(path);
    if (entry?.kind !== FILE || entry.mtimeNs === undefined) continue;
    if (best === undefined || entry.mtimeNs > best.mtimeNs) best = { path, mtimeNs: entry.mtimeNs };
  }
  return best;
}
