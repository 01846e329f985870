/** `shardctl peers rm PEER`: a peer is one no more. */
import { Demands } from '../../demand.ts';
import { EXIT } from '../../errors.ts';
import { peerNames } from '../../home/config.ts';
import { requireHome } from '../../home/home.ts';
import { release } from '../../release.ts';
import { replicationOf } from '../add-options.ts';
import type { Context } from '../context.ts';
import { removePeer, settingsOf } from '../peer-settings.ts';
import { counted } from '../reporter/text.ts';
import { freeing } from '../wire-freeing.ts';

export async function run(context: Context): Promise<number> {
  const { args, home, json, output, quiet } = context;
  const name = args.positionals[0] as string;
  const replication = replicationOf(args);
  requireHome(home);
  const { replicas, tooFew, lost } = await freeing(context, async ({ config, index, peers }) => {
    const settings = settingsOf(config, name);
    const demands = new Demands(index, { home: config, told: { replication } });
    const run = { index, peers, demands, force: args.flag('force') };
    const released = await release(run, settings.name === name ? peerNames(settings) : [name]);
    removePeer(home, config, name);
    return released;
  });
  if (quiet || json) return EXIT.done;
  output.line(`peer ${name} is taken out${replicas === 0 ? '' : `: its replicas of ${counted(replicas, 'shard')} count no more`}`);
  if (tooFew > 0) output.line(`${counted(tooFew, 'shard')} on too few peers: run \`shardctl repair\``);
  if (lost > 0) output.line(`${counted(lost, 'shard')} on none: run \`shardctl repair\`, then \`shardctl add\` the source again`);
  return EXIT.done;
}
