/** `shardctl stats [NAME…]`: what the snapshots take, what each has added, and how that grows. */
import { EXIT } from '../../core/errors.ts';
import type { Replication } from '../../core/model.ts';
import { formatCount, formatSize } from '../../home/sizes.ts';
import { type RepositoryStats, StorageStats } from '../../maintain/figures/storage-stats.ts';
import { Demands } from '../../storing/demand.ts';
import type { Context } from '../command-line/context.ts';
import { inOrder, repositoriesNamed } from '../command-line/repositories-named.ts';
import { answer, type Result } from '../results/results.ts';
import { table } from '../results/table.ts';
import { reading } from '../session/session.ts';

type SnapshotResult = Extract<Result, { type: 'snapshot-stats' }>;
type RepositoryResult = Extract<Result, { type: 'repository-stats' }>;
type PolicyResult = Extract<Result, { type: 'policy-stats' }>;

export async function run(context: Context): Promise<number> {
  const { args, now } = context;
  return await reading(context, async ({ config, index }) => {
    const all = index.repositories();
    const isPart = args.positionals.length > 0;
    const names = (isPart ? repositoriesNamed(all, args.positionals) : inOrder(all)).map(({ name }) => name);
    const stats = new StorageStats(index, now());
    const snapshots = isPart
      ? names.flatMap((name) => stats.snapshots(name).map((one): SnapshotResult => ({ type: 'snapshot-stats', ...one })))
      : [];
    const result = (repository: string | null, of: RepositoryStats): RepositoryResult => ({ type: 'repository-stats', repository, ...of });
    const repositories = names.map((name) => result(name, stats.of([name])));
    const together = names.length > 1 ? [result(null, stats.of(names))] : [];
    const policies = isPart
      ? []
      : stats
          .policies(new Demands(index, { home: config }))
          .map((one): PolicyResult => ({ type: 'policy-stats', ...one, replication: replicationText(one.replication) }));
    const { columns } = context.output;
    answer(context, [...snapshots, ...repositories, ...together, ...policies], () =>
      names.length === 0
        ? ['no repositories yet: `shardctl add DIR` makes the first']
        : [
            ...(isPart ? [...snapshotTable(snapshots, columns), ''] : []),
            ...repositoryTable([...repositories, ...together], columns),
            ...(isPart ? [] : ['', ...policyTable(policies, columns)]),
          ],
    );
    return EXIT.done;
  });
}

function snapshotTable(snapshots: readonly SnapshotResult[], columns: number | undefined): string[] {
  const rows = snapshots.map(({ repository, number, time, bytes, addedBytes, addedShards, storedBytes }) => [
    `${repository}@${number}`,
    `${time.slice(0, 10)} ${time.slice(11, 16)}`,
    formatSize(bytes),
    formatSize(addedBytes),
    formatCount(addedShards),
    formatSize(storedBytes),
  ]);
  return table([['SNAPSHOT', 'TIME', 'SIZE', 'ADDED', 'SHARDS', 'STORED'], ...rows], 'llrrrr', columns);
}

function repositoryTable(repositories: readonly RepositoryResult[], columns: number | undefined): string[] {
  const rows = repositories.map(({ repository, snapshots, bytes, storedBytes, peerBytes, grownBytes, grownSince }) => [
    repository ?? 'together',
    formatCount(snapshots),
    formatSize(bytes),
    formatSize(storedBytes),
    storedBytes === 0 ? '-' : `${(bytes / storedBytes).toFixed(1)}x`,
    formatSize(peerBytes),
    formatSize(grownBytes),
    grownSince.slice(0, 10),
  ]);
  return table([['REPOSITORY', 'SNAPSHOTS', 'SIZE', 'STORED', 'RATIO', 'ON PEERS', 'GROWN', 'SINCE'], ...rows], 'lrrrrrrl', columns);
}

function policyTable(policies: readonly PolicyResult[], columns: number | undefined): string[] {
  const rows = policies.map(({ replication, allocateBy, shards, storedBytes, peerBytes }) => [
    replication,
    formatCount(shards),
    formatSize(storedBytes),
    formatSize(peerBytes),
    allocateBy.join(','),
  ]);
  return table([['REPLICATION', 'SHARDS', 'STORED', 'ON PEERS', 'ALLOCATE BY'], ...rows], 'lrrrl', columns);
}

/** As `--replication` takes it. */
function replicationText({ min, max }: Replication): string {
  return min === max ? String(min) : `${min}:${max}`;
}
