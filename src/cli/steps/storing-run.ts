/** What every command that puts shards on peers, or moves them, needs of the home and the command line. */
import { hostname } from 'node:os';
import type { Replication } from '../../core/model.ts';
import { ownerOf } from '../../home/identity.ts';
import type { Maintenance } from '../../maintain/maintenance.ts';
import { checkPeersNamed } from '../../storing/allocate/allocators.ts';
import { Demands } from '../../storing/demand.ts';
import { replicationOf, sizeOf } from '../invocation/add-options.ts';
import type { Context } from '../invocation/context.ts';
import { allocateByOf, bwlimitOf, throttleAt, transfersOf } from '../invocation/transfer-options.ts';
import type { Session } from '../wire/wire.ts';

/** The options, checked: before a lock is taken. */
export interface StoringOptions {
  readonly replication: Replication | undefined;
  readonly shardBytes: number | undefined;
  readonly allocateBy: readonly string[] | undefined;
  readonly transfers: number | undefined;
  /** Bytes a second. */
  readonly bwlimit: number | undefined;
}

/** @throws ShardctlError `USAGE` */
export function storingOptions({ args }: Context): StoringOptions {
  return {
    replication: replicationOf(args),
    shardBytes: sizeOf(args, 'shard-size'),
    allocateBy: allocateByOf(args),
    transfers: transfersOf(args),
    bwlimit: bwlimitOf(args),
  };
}

/** @throws ShardctlError `BAD_CONFIG` when the rules that are told name a peer that is not set up */
export async function storingRun(context: Context, { config, index, peers }: Session, options: StoringOptions): Promise<Maintenance> {
  const { home, now, reporter, signal } = context;
  if (options.allocateBy !== undefined) checkPeersNamed(peers, options.allocateBy);
  return {
    index,
    peers,
    self: ownerOf(home, hostname()).id,
    demands: new Demands(index, { home: config, told: options }),
    shardBytes: options.shardBytes ?? config.shardSize,
    transfers: options.transfers,
    throttle: await throttleAt(options.bwlimit, context),
    spool: home.spool,
    heads: home.heads,
    emit: (event) => reporter.event(event),
    signal,
    now,
  };
}
