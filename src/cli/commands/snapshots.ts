/** `shardctl snapshots [NAME…]`: the committed states of some repositories, or of all. */
import { EXIT } from '../../core/errors.ts';
import { formatCount, formatSize } from '../../home/sizes.ts';
import type { Context } from '../command-line/context.ts';
import { repositoriesNamed } from '../command-line/repositories-named.ts';
import { answer, type Result } from '../results/results.ts';
import { replicaCounts, snapshotResult } from '../results/snapshot-result.ts';
import { table } from '../results/table.ts';
import { reading } from '../session/session.ts';

type Snapshot = Extract<Result, { type: 'snapshot' }>;

export async function run(context: Context): Promise<number> {
  return await reading(context, async ({ index }) => {
    const { positionals } = context.args;
    const replicasOf = replicaCounts(index);
    const all = index.repositories();
    const meant = positionals.length === 0 ? all : repositoriesNamed(all, positionals);
    const snapshots = meant.flatMap(({ name: repository }) =>
      index
        .snapshots(repository)
        .map((snapshot): Snapshot => ({ type: 'snapshot', repository, ...snapshotResult(snapshot, index, replicasOf) })),
    );
    if (context.args.flag('root-only') && !context.json) {
      for (const { tree } of snapshots) context.output.line(tree);
    } else {
      answer(context, snapshots, () => lines(snapshots, context.output.columns));
    }
    return EXIT.done;
  });
}

function lines(snapshots: readonly Snapshot[], columns: number | undefined): string[] {
  const rows = snapshots.map(({ repository, number, time, files, bytes, shards, cid, tree, ...marked }) => [
    `${repository}@${number}`,
    time,
    formatCount(files),
    formatSize(bytes),
    formatCount(shards),
    cid,
    tree,
    marksOf(marked).join(', '),
  ]);
  // Scripts that cut columns find them where they were.
  const [heads, layout] = snapshots.some((snapshot) => marksOf(snapshot).length > 0) ? [['TAGS'], 'llrrrlll'] : [[], 'llrrrll'];
  return table([['SNAPSHOT', 'TIME', 'FILES', 'SIZE', 'SHARDS', 'CID', 'ROOT', ...heads], ...rows], layout, columns);
}

/** What is said of a snapshot beside its tags. */
function marksOf({ tags, contradictions, published }: Pick<Snapshot, 'tags' | 'contradictions' | 'published'>): string[] {
  return [
    ...tags,
    ...(contradictions === undefined ? [] : ['(held back by the gate)']),
    ...(published === undefined ? [] : ['(published)']),
  ];
}
