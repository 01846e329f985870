/** `shardctl peers add local PATH`: set up a directory of this machine as a peer. */
import { existsSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { EXIT, errnoOf, ioError, ShardctlError } from '../../core/errors.ts';
import type { LocalPeerConfig, PeerLayout } from '../../home/config.ts';
import { isForeign } from '../../home/foreign.ts';
import { type Args, usage } from '../command-line/args.ts';
import type { Context } from '../command-line/context.ts';
import { commonOptions, peerName } from '../command-line/peer-options.ts';
import type { Absolute } from '../command-line/surroundings.ts';
import { freeing } from '../session/full-disk.ts';
import { setUpLocalPeer } from '../session/local-peers.ts';
import { tellNeighbours } from '../steps/neighbours.ts';

const LAYOUTS = ['car', 'blockstore'] as const satisfies readonly PeerLayout[];

export async function run(context: Context): Promise<number> {
  const peer = peerOf(context.args, context.absolute);
  refuseForeign(peer.path);
  await freeing(context, async ({ config }) => {
    if (config.peers.some(({ name }) => name === peer.name)) {
      throw new ShardctlError('USAGE', `there is a peer "${peer.name}" already`, { hint: 'choose another name with --name' });
    }
    await setUpLocalPeer(context, config, peer);
  });
  if (!context.quiet && !context.json) context.output.line(`peer ${peer.name}: ${peer.path}, layout ${peer.layout}`);
  await tellNeighbours(context, [peer.name]);
  return EXIT.done;
}

function peerOf(args: Args, absolute: Absolute): LocalPeerConfig {
  const path = absolute(args.argument(0));
  const name = peerName(args, basename(path));
  const wanted = args.text('layout') ?? 'car';
  const layout = LAYOUTS.find((known) => known === wanted);
  if (layout === undefined) throw usage(`--layout "${wanted}" is neither car nor blockstore`, args.command);
  return {
    kind: 'local',
    name,
    path,
    layout,
    ...(args.flag('shared') ? { shared: true } : {}),
    ...commonOptions(args),
  };
}

/** A peer has its directory for itself: shards must not mix with somebody's files. */
function refuseForeign(path: string): void {
  if (existsSync(join(path, 'peer.json'))) return;
  let stranger: string | undefined;
  try {
    stranger = readdirSync(path).find((name) => !isForeign(name));
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return;
    if (errnoOf(error) === 'ENOTDIR') throw new ShardctlError('USAGE', `${path} is not a directory`);
    throw ioError(error, 'looking at the new peer', path);
  }
  if (stranger === undefined) return;
  throw new ShardctlError('USAGE', `${path} is not a peer, and it is not empty (it holds "${stranger}")`, {
    hint: 'name a new or empty directory',
  });
}
