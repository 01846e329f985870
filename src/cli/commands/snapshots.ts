/** `shardctl snapshots [NAME]`: the committed states of one repository, or of all. */
import { EXIT, ShardctlError } from '../../errors.ts';
import { formatCount, formatSize } from '../../home/sizes.ts';
import type { Context } from '../context.ts';
import { answer, type Result } from '../results.ts';
import { snapshotResult } from '../snapshot-result.ts';
import { table } from '../table.ts';
import { reading } from '../wire.ts';

type Snapshot = Extract<Result, { type: 'snapshot' }>;

export async function run(context: Context): Promise<number> {
  return await reading(context, async ({ index }) => {
    const [name] = context.args.positionals;
    if (name !== undefined && index.repository(name) === undefined) {
      throw new ShardctlError('NOT_FOUND', `no repository "${name}"`, { hint: '`shardctl status` lists what is there' });
    }
    const names = name === undefined ? index.repositories().map((repository) => repository.name) : [name];
    const snapshots = names.flatMap((repository) =>
      index.snapshots(repository).map((snapshot): Snapshot => ({ type: 'snapshot', repository, ...snapshotResult(snapshot, index) })),
    );
    if (context.args.flag('root-only') && !context.json) {
      for (const { tree } of snapshots) context.output.line(tree);
    } else {
      answer(context, snapshots, () => lines(snapshots));
    }
    return EXIT.done;
  });
}

function lines(snapshots: readonly Snapshot[]): string[] {
  const rows = snapshots.map(({ repository, number, time, files, bytes, shards, cid, tree }) => [
    `${repository}@${number}`,
    time,
    formatCount(files),
    formatSize(bytes),
    formatCount(shards),
    cid,
    tree,
  ]);
  return table([['SNAPSHOT', 'TIME', 'FILES', 'SIZE', 'SHARDS', 'CID', 'ROOT'], ...rows], 'llrrrll');
}
