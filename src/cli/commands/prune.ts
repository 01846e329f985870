/** `shardctl prune`: free the space of what no retained snapshot needs. */
import { EXIT } from '../../errors.ts';
import { requireHome } from '../../home/home.ts';
import { formatSize } from '../../home/sizes.ts';
import { type Pruned, prune } from '../../prune.ts';
import { replicationOf, sizeOf } from '../add-options.ts';
import type { Context } from '../context.ts';
import { counted, formatSeconds } from '../reporter/text.ts';
import { answer } from '../results.ts';
import { maxUnusedOf } from '../retention-options.ts';
import { allocateByOf, throttleOf, transfersOf } from '../transfer-options.ts';
import { reading, type Session, writing } from '../wire.ts';

export async function run(context: Context): Promise<number> {
  const { args, home, json, now, quiet, reporter, signal } = context;
  const limits = { maxUnused: maxUnusedOf(args), maxRepack: sizeOf(args, 'max-repack') ?? Number.POSITIVE_INFINITY };
  const [replication, shardBytes] = [replicationOf(args), sizeOf(args, 'shard-size')];
  const [allocateBy, transfers, throttle] = [allocateByOf(args), transfersOf(args), throttleOf(context)];
  const dryRun = args.flag('dry-run');
  requireHome(home);
  const work = async ({ config, index, peers }: Session) => {
    const started = now();
    const pruned = await prune(
      {
        index,
        peers,
        replication: replication ?? config.replication,
        allocateBy: allocateBy ?? config.allocateBy,
        transfers,
        throttle,
        shardBytes: shardBytes ?? config.shardSize,
        spool: home.spool,
        heads: home.heads,
        emit: (event) => reporter.event(event),
        signal,
        now,
      },
      { ...limits, dryRun },
    );
    const seconds = (now() - started) / 1000;
    if (!quiet || json) answer(context, [{ type: 'pruned', ...pruned, seconds }], () => lines(pruned, seconds));
    return pruned.left > 0 ? EXIT.tooFewPeers : EXIT.done;
  };
  return dryRun ? await reading(context, work) : await writing(context, work);
}

function lines(pruned: Pruned, seconds: number): string[] {
  const would = pruned.dryRun ? 'to be ' : '';
  const out = [
    `${would}removed: ${counted(pruned.removedShards, 'shard')}, ${counted(pruned.removedStrays, 'leftover')}`,
    `${would}repacked: ${counted(pruned.repackedShards, 'shard')}, ${formatSize(pruned.repackedBytes)} copied${pruned.dryRun ? '' : ` to ${counted(pruned.newShards, 'shard')}`}`,
    `${would}freed: ${counted(pruned.freedBlocks, 'block')}, ${formatSize(pruned.freedBytes)}`,
    `unused bytes that stay: ${formatSize(pruned.unusedBytes)}`,
  ];
  if (pruned.rewrittenSnapshots > 0)
    out.push(
      `${counted(pruned.rewrittenSnapshots, 'snapshot')} ${pruned.dryRun ? 'to get' : 'got'} a new CID: the trees are the same, the shards are others`,
    );
  if (pruned.left > 0) out.push(`${counted(pruned.left, 'shard')} could not be removed: run prune again when the peers are back`);
  if (!pruned.dryRun) out.push(`took ${formatSeconds(seconds)}`);
  return out;
}
