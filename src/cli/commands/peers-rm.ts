/** `shardctl peers rm PEER`: a peer is one no more. */

import { existsSync } from 'node:fs';
import { shellWord } from '../../core/display.ts';
import { EXIT, ShardctlError } from '../../core/errors.ts';
import type { RepositoryRecord } from '../../core/model.ts';
import { type Config, peerNames } from '../../home/config.ts';
import { requireHome } from '../../home/home.ts';
import { release } from '../../maintain/move/remove-peer.ts';
import { withoutPeers } from '../../storing/allocate/allocators.ts';
import { Demands } from '../../storing/demand.ts';
import type { Context } from '../command-line/context.ts';
import { replicationOf } from '../command-line/quantities.ts';
import { counted } from '../reporter/text.ts';
import { freeing } from '../session/full-disk.ts';
import { removePeer, settingsOf } from '../session/peer-settings.ts';

export async function run(context: Context): Promise<number> {
  const { args, home, json, output, quiet } = context;
  const name = args.argument(0);
  const replication = replicationOf(args);
  requireHome(home);
  const { replicas, tooFew, lost, rules } = await freeing(context, async ({ config, index, peers }) => {
    const settings = settingsOf(config, name);
    const demands = new Demands(index, { home: config, told: { replication } });
    const run = { index, peers, demands, force: args.flag('force') };
    const names = settings.name === name ? peerNames(settings) : [name];
    const released = await release(run, names).catch((error: unknown) => {
      throw existsSync(home.follow) ? ofFollower(error) : error;
    });
    removePeer(home, config, name);
    return { ...released, rules: rulesThatName(names, config, index.repositories()) };
  });
  if (quiet || json) return EXIT.done;
  output.line(`peer ${name} is taken out${replicas === 0 ? '' : `: its replicas of ${counted(replicas, 'shard')} count no more`}`);
  if (existsSync(home.follow)) {
    if (lost > 0) output.line(`${counted(lost, 'shard')} on none: the next \`shardctl follow\` takes what is rarest then`);
    return EXIT.done;
  }
  if (tooFew > 0) output.line(`${counted(tooFew, 'shard')} on too few peers: run \`shardctl repair\``);
  if (lost > 0) output.line(`${counted(lost, 'shard')} on none: run \`shardctl repair\`, then \`shardctl add\` the source again`);
  for (const rule of rules) output.line(rule);
  return EXIT.done;
}

/** A follower's home knows neither `drain` nor `repair`. */
function ofFollower(error: unknown): unknown {
  if (!(error instanceof ShardctlError) || error.code !== 'TOO_FEW_PEERS') return error;
  const hint = 'say --force if it is gone for good: the next `shardctl follow` takes what is rarest then';
  return new ShardctlError(error.code, error.message, { hint, cause: error });
}

/** Rules that are remembered stay as they are: the peer may come back, by the same name. */
function rulesThatName(gone: readonly string[], { allocateBy: home }: Config, repositories: readonly RepositoryRecord[]): string[] {
  const asking = [
    { who: 'the home', allocateBy: home, option: '' },
    ...repositories.map(({ name, allocateBy = [] }) => ({ who: name, allocateBy, option: ` --repository ${shellWord(name)}` })),
  ];
  return asking.flatMap(({ who, allocateBy, option }) => {
    const rest = withoutPeers(allocateBy, gone);
    if (rest.join() === allocateBy.join()) return [];
    const command = `shardctl config allocate-by ${rest.length === 0 ? '--unset' : shellWord(rest.join())}${option}`;
    return [`${who} is allocated by ${allocateBy.join()}, which names it still and passes it over: \`${command}\` leaves it out`];
  });
}
