/** `shardctl peers add kubo URL`: set up a Kubo daemon as a peer. */
import { displayUrl } from '../../core/display.ts';
import { EXIT, ShardctlError } from '../../core/errors.ts';
import type { Args } from '../command-line/args.ts';
import type { Context } from '../command-line/context.ts';
import { commonOptions, daemonUrl, gatewayUrl, hostOf, peerName } from '../command-line/peer-options.ts';
import type { Absolute } from '../command-line/surroundings.ts';
import { freeing } from '../session/full-disk.ts';
import { addKuboPeer, type NewKuboPeer } from '../session/kubo-peers.ts';
import { tellNeighbours } from '../steps/neighbours.ts';

export async function run(context: Context): Promise<number> {
  const { args, absolute, output, quiet, json } = context;
  const wanted = peerOf(args, absolute);
  const { peer, warnings } = await freeing(context, async ({ config }) => {
    if (config.peers.some(({ name }) => name === wanted.name)) {
      throw new ShardctlError('USAGE', `there is a peer "${wanted.name}" already`, { hint: 'choose another name with --name' });
    }
    return await addKuboPeer(context, config, wanted);
  });
  if (!quiet && !json) output.line(`peer ${peer.name}: Kubo ${peer.id} at ${displayUrl(peer.url)}`);
  if (!quiet) for (const warning of warnings) output.note(`peer ${peer.name}: ${warning}`);
  await tellNeighbours(context, [peer.name]);
  return EXIT.done;
}

function peerOf(args: Args, absolute: Absolute): NewKuboPeer {
  const url = daemonUrl(args, 'http://127.0.0.1:5001');
  const gateway = gatewayUrl(args);
  const tokenFile = args.text('token-file');
  return {
    kind: 'kubo',
    name: peerName(args, hostOf(url)),
    url,
    ...(tokenFile === undefined ? {} : { tokenFile: absolute(tokenFile) }),
    ...(gateway === undefined ? {} : { gateway }),
    ...commonOptions(args),
  };
}
