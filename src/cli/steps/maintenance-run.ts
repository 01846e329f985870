/** What every command that puts shards on peers, or moves them, needs of the home and the command line. */
import { hostname } from 'node:os';
import { ownerOf } from '../../home/identity.ts';
import type { Maintenance } from '../../maintain/maintenance.ts';
import { checkPeersNamed } from '../../storing/allocate/allocators.ts';
import { Demands } from '../../storing/demand.ts';
import type { Context } from '../command-line/context.ts';
import type { StorageOptions } from '../command-line/storage-options.ts';
import type { Session } from '../session/session.ts';
import { graceOf } from './grace-of.ts';
import { throttleAt } from './throttle.ts';

/** @throws ShardctlError `BAD_CONFIG` when the rules that are told name a peer that is not set up */
export async function maintenanceRun(context: Context, { config, index, peers }: Session, options: StorageOptions): Promise<Maintenance> {
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
    grace: graceOf(context, config),
    spool: home.spool,
    heads: home.heads,
    emit: (event) => reporter.event(event),
    signal,
    now,
  };
}
