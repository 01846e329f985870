/** `shardctl verify [REF]`: whether the peers hold what the snapshots name. */
import { EXIT, ShardctlError } from '../../errors.ts';
import { formatSize } from '../../home/sizes.ts';
import type { Index } from '../../index-store/index.ts';
import { leastReplicas, type SnapshotRecord } from '../../model.ts';
import { type ExpectedShard, verify } from '../../verify.ts';
import { replicationOf } from '../add-options.ts';
import type { Context } from '../context.ts';
import { resolveRef } from '../ref.ts';
import { counted, formatSeconds } from '../reporter/text.ts';
import { answer } from '../results.ts';
import { reading } from '../wire.ts';

export async function run(context: Context): Promise<number> {
  const { args, now, output, reporter, signal } = context;
  const replication = replicationOf(args);
  return await reading(context, async ({ config, index, peers }) => {
    const [ref] = args.positionals;
    const snapshots = ref === undefined ? allSnapshots(index) : [resolveRef(ref, index).snapshot];
    const started = now();
    const readData = args.flag('read-data');
    const { shards, blocks, bytes, damaged } = await verify({
      shards: shardsOf(snapshots, index),
      peers,
      least: leastReplicas(replication ?? config.replication, peers),
      lists: (shard, digests, at) => index.lists(shard, digests, at),
      readData,
      emit: (event) => reporter.event(event),
      signal,
    });
    const seconds = (now() - started) / 1000;
    if (args.flag('root-only') && !context.json) {
      for (const { tree } of snapshots) output.line(tree);
    }
    if (!context.quiet || context.json) {
      answer(context, [{ type: 'verified', shards, blocks, bytes, damaged, seconds }], () => {
        const read = readData ? `, ${counted(blocks, 'block')} read back, ${formatSize(bytes)}` : '';
        return [
          `${counted(shards, 'shard')} looked at${read}: ${damaged === 0 ? 'no damage' : `damage: ${damaged}`}, ${formatSeconds(seconds)}`,
        ];
      });
    }
    return damaged === 0 ? EXIT.done : EXIT.damage;
  });
}

function allSnapshots(index: Index): SnapshotRecord[] {
  return index.repositories().flatMap(({ name }) => index.snapshots(name));
}

/** Each shard once, however many snapshots share it, and the catalogue of each snapshot. */
function* shardsOf(snapshots: readonly SnapshotRecord[], index: Index): Iterable<ExpectedShard> {
  for (const number of new Set(snapshots.flatMap(({ shards }) => shards))) {
    const shard = index.shard(number);
    if (shard === undefined) throw new ShardctlError('DAMAGE', `the index is damaged: it has no shard ${number}, which a snapshot needs`);
    yield { ...shard, label: `shard ${number}` };
  }
  for (const { repository, number, catalogue } of snapshots) yield { ...catalogue, label: `catalogue of ${repository}@${number}` };
}
