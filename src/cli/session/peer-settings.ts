/** Changes to the settings of peers that are there already. Must be called by the only writer. */
import { ShardctlError } from '../../core/errors.ts';
import { type Config, type PeerConfig, peerNames } from '../../home/config.ts';
import { saveConfig } from '../../home/config-file.ts';
import type { HomePaths } from '../../home/home.ts';
import type { Peer } from '../../peer/peer.ts';
import type { Context } from '../command-line/context.ts';
import { idOf } from './local-peers.ts';
import { withPeers } from './peers.ts';

/** The settings that stand for a peer: those of an IPFS Cluster stand for each of its members. @throws ShardctlError `NOT_FOUND` */
export function settingsOf(config: Config, name: string): PeerConfig {
  const found = config.peers.find((peer) => peer.name === name) ?? config.peers.find((peer) => peerNames(peer).includes(name));
  if (found !== undefined) return found;
  throw new ShardctlError('NOT_FOUND', `there is no peer "${name}"`, {
    hint: `the peers are ${config.peers.flatMap(peerNames).join(', ') || 'none'}`,
  });
}

/**
 * The settings with one peer drained, or given shards again.
 * @throws ShardctlError `NOT_FOUND`, or `USAGE` when it is an IPFS Cluster, and not one of its members
 */
export function withDrained(config: Config, name: string, isDrained: boolean): Config {
  const settings = settingsOf(config, name);
  if (!peerNames(settings).includes(name))
    throw new ShardctlError('USAGE', `"${name}" is an IPFS Cluster`, {
      hint: `name one of its members: ${peerNames(settings).join(', ')}`,
    });
  const drained = isDrained ? true : undefined;
  const members = settings.kind === 'cluster' ? settings.members : [];
  const changed =
    settings.kind !== 'cluster' || settings.name === name
      ? { ...settings, drained }
      : { ...settings, members: members.map((member) => (member.name === name ? { ...member, drained } : member)) };
  return withPeer(config, changed);
}

/** Puts `changed` in the place of the settings of its name; fields that are undefined go. */
export function savePeer(home: HomePaths, config: Config, changed: PeerConfig): void {
  saveConfig(home, withPeer(config, changed));
}

function withPeer(config: Config, changed: PeerConfig): Config {
  return { ...config, peers: config.peers.map((peer) => (peer.name === changed.name ? changed : peer)) };
}

/** Takes a peer out of the settings: a whole IPFS Cluster, or one member of it, which is not taken in again by itself. */
export function removePeer(home: HomePaths, config: Config, name: string): void {
  const settings = settingsOf(config, name);
  if (settings.kind === 'cluster' && settings.name !== name) {
    const members = settings.members.filter((member) => member.name !== name);
    const out = settings.members.filter((member) => member.name === name).map(({ id }) => ({ id, name }));
    savePeer(home, config, { ...settings, members, bystanders: [...(settings.bystanders ?? []), ...out] });
  } else {
    saveConfig(home, { ...config, peers: config.peers.filter((peer) => peer !== settings) });
  }
}

/**
 * Runs `work` on the peers of changed settings, which are not saved yet; of the members of an IPFS Cluster on those that answer.
 * @throws ShardctlError when none of them does, or one is another peer
 */
export async function withChanged(
  context: Context,
  config: Config,
  changed: PeerConfig,
  work: (peers: ReadonlyMap<string, Peer>) => Promise<void>,
): Promise<void> {
  await withPeers(context, { ...config, peers: [changed] }, async (peers) => {
    const answering = await answeringOf(peers);
    const id = await idOf(context.home, changed);
    for (const other of config.peers) {
      if (other.name !== changed.name && id !== undefined && (await idOf(context.home, other)) === id)
        throw new ShardctlError('USAGE', `that is peer "${other.name}" already`);
    }
    await work(answering);
  });
}

/** @throws ShardctlError why the first does not answer, when none does */
async function answeringOf(peers: ReadonlyMap<string, Peer>): Promise<ReadonlyMap<string, Peer>> {
  const answering = new Map<string, Peer>();
  let first: ShardctlError | undefined;
  for (const [name, peer] of peers) {
    try {
      await peer.metric();
      answering.set(name, peer);
    } catch (error) {
      if (!(error instanceof ShardctlError)) throw error;
      first ??= error;
    }
  }
  if (answering.size === 0 && first !== undefined) throw first;
  return answering;
}
