/** `shardctl status`: repositories with their heads, and how full the peers are. */
import { displayPath } from '../../display.ts';
import { EXIT } from '../../errors.ts';
import { formatCount, formatSize } from '../../home/sizes.ts';
import type { Context } from '../context.ts';
import { peerStatuses, peerTable } from '../peer-status.ts';
import { answer, type Result } from '../results.ts';
import { snapshotResult } from '../snapshot-result.ts';
import { table } from '../table.ts';
import { reading } from '../wire.ts';

type Repository = Extract<Result, { type: 'repository' }>;

export async function run(context: Context): Promise<number> {
  return await reading(context, async (session) => {
    const { index } = session;
    const repositories = index.repositories().map(({ name, source, head }): Repository => {
      const snapshot = index.snapshot(name, head);
      const shown = snapshot === undefined ? null : snapshotResult(snapshot, index);
      return { type: 'repository', name, source: displayPath(source), snapshots: index.snapshots(name).length, head: shown };
    });
    if (context.args.flag('root-only') && !context.json) {
      for (const { head } of repositories) if (head !== null) context.output.line(head.tree);
      return EXIT.done;
    }
    const peers = await peerStatuses(context, session);
    answer(context, [...repositories, ...peers], () => [...repositoryTable(repositories), '', ...peerTable(peers, false)]);
    return EXIT.done;
  });
}

function repositoryTable(repositories: readonly Repository[]): string[] {
  if (repositories.length === 0) return ['no repositories yet: `shardctl add DIR` makes the first'];
  const head = ['REPOSITORY', 'HEAD', 'TIME', 'FILES', 'SIZE', 'SHARDS', 'REPLICAS', 'SOURCE'];
  const rows = repositories.map(({ name, source, head: snapshot }) =>
    snapshot === null
      ? [name, '-', '-', '-', '-', '-', '-', source]
      : [
          name,
          `@${snapshot.number}`,
          snapshot.time,
          formatCount(snapshot.files),
          formatSize(snapshot.bytes),
          formatCount(snapshot.shards),
          String(snapshot.replicas),
          source,
        ],
  );
  const roots = repositories.flatMap(({ name, head: snapshot }) => (snapshot === null ? [] : [[name, snapshot.tree]]));
  return [...table([head, ...rows], 'lllrrrrl'), '', ...table([['REPOSITORY', 'ROOT'], ...roots], 'll')];
}
