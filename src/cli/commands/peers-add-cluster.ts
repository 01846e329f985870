/** `shardctl peers add cluster URL`: set up the members of an IPFS Cluster as peers, or all of it as one. */
import { displayText } from '../../core/display.ts';
import { EXIT } from '../../core/errors.ts';
import { peerNames } from '../../home/config.ts';
import { type Args, usage } from '../command-line/args.ts';
import type { Context } from '../command-line/context.ts';
import { commonOptions, daemonUrl, gatewayUrl, hostOf, isUrl, membersIn, peerName } from '../command-line/peer-options.ts';
import { replicationOf } from '../command-line/quantities.ts';
import type { Absolute } from '../command-line/surroundings.ts';
import { type AskedCluster, addCluster } from '../session/cluster-settings.ts';
import { freeing } from '../session/full-disk.ts';
import { tellNeighbours } from '../steps/neighbours.ts';

export async function run(context: Context): Promise<number> {
  const { args, absolute, quiet, json, output } = context;
  const settings = clusterOf(args, absolute);
  const kubos = args.all('kubo').map(({ value }) => kuboOf(value, args));
  const asked = { settings, counting: membersIn(args), kubos };
  const made = await freeing(context, ({ config }) => addCluster(context, config, asked));
  if (!quiet && !json) {
    output.line(`cluster ${made.name}: ${peerNames(made).join(', ')}`);
    const others = made.bystanders?.map((it) => displayText(it.name)) ?? [];
    if (others.length > 0)
      output.line(`given nothing: ${others.join(', ')}; \`shardctl peers set ${made.name} --members NAME\` takes one in`);
  }
  if (!quiet && made.federate === true && made.gateway === undefined && made.members.every(({ kubo }) => kubo === undefined)) {
    output.note(`nothing can be read from ${made.name} yet: give --gateway URL, or --kubo MEMBER=URL for its members`);
  }
  await tellNeighbours(context, peerNames(made));
  return EXIT.done;
}

function clusterOf(args: Args, absolute: Absolute): AskedCluster['settings'] {
  const url = daemonUrl(args, 'http://127.0.0.1:9094');
  const gateway = gatewayUrl(args);
  const federate = args.flag('federate');
  if (!federate && args.text('replication') !== undefined) {
    throw usage(
      '--replication of a cluster says how many of its members hold a shard when it is one peer: give --federate too',
      args.command,
    );
  }
  if ((args.text('user') === undefined) !== (args.text('password-file') === undefined)) {
    throw usage('--user and --password-file go together', args.command);
  }
  const file = (option: 'password-file' | 'token-file' | 'ca') => {
    const path = args.text(option);
    return path === undefined ? undefined : absolute(path);
  };
  return {
    kind: 'cluster',
    name: peerName(args, hostOf(url)),
    url,
    user: args.text('user'),
    passwordFile: file('password-file'),
    tokenFile: file('token-file'),
    ca: file('ca'),
    gateway,
    federate: federate || undefined,
    replication: federate ? replicationOf(args) : undefined,
    ...commonOptions(args),
  };
}

function kuboOf(text: string, args: Args): { readonly member: string; readonly url: string } {
  const equals = text.indexOf('=');
  const url = text.slice(equals + 1);
  if (equals > 0 && isUrl(url)) return { member: text.slice(0, equals), url };
  throw usage(`--kubo "${text}" is not MEMBER=URL`, args.command);
}
