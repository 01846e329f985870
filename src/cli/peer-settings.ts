/** Changes to the settings of peers that are there already. Must be called by the only writer. */
import { ShardctlError } from '../errors.ts';
import { type ClusterConfig, type Config, type PeerConfig, peerNames } from '../home/config.ts';
import { saveConfig } from '../home/config-file.ts';
import type { HomePaths } from '../home/home.ts';

/** The settings that have this name: of a peer, or of a Cluster whose members are peers. @throws ShardctlError `NOT_FOUND` */
export function settingsNamed(config: Config, name: string): PeerConfig {
  const peer = config.peers.find((candidate) => candidate.name === name);
  if (peer !== undefined) return peer;
  const cluster = clusterOf(config, name);
  if (cluster === undefined) throw notFound(config, name);
  throw new ShardctlError('USAGE', `"${name}" is a member of cluster "${cluster.name}" and has no settings of its own`, {
    hint: `name the Cluster: \`${cluster.name}\``,
  });
}

/** Names of the peers that a name stands for: itself, or the members of a Cluster. @throws ShardctlError `NOT_FOUND` */
export function peersNamed(config: Config, name: string): string[] {
  const settings = config.peers.find((candidate) => candidate.name === name);
  if (settings !== undefined) return peerNames(settings);
  if (clusterOf(config, name) !== undefined) return [name];
  throw notFound(config, name);
}

/** Puts `changed` in the place of the settings of its name; fields that are undefined go. */
export function savePeer(home: HomePaths, config: Config, changed: PeerConfig): void {
  saveConfig(home, { ...config, peers: config.peers.map((peer) => (peer.name === changed.name ? changed : peer)) });
}

/** Whether anything new goes to a peer. */
export function saveDrained(home: HomePaths, config: Config, name: string, drained: true | undefined): void {
  const cluster = clusterOf(config, name);
  const changed =
    cluster === undefined
      ? { ...settingsNamed(config, name), drained }
      : { ...cluster, members: cluster.members.map((member) => (member.name === name ? { ...member, drained } : member)) };
  savePeer(home, config, changed);
}

/** Takes a peer, or a Cluster with all its members, out of the settings. */
export function removePeer(home: HomePaths, config: Config, name: string): void {
  const cluster = clusterOf(config, name);
  if (cluster === undefined) saveConfig(home, { ...config, peers: config.peers.filter((peer) => peer.name !== name) });
  else savePeer(home, config, { ...cluster, members: cluster.members.filter((member) => member.name !== name) });
}

/** The Cluster of which this is a member that is a peer. */
function clusterOf(config: Config, name: string): ClusterConfig | undefined {
  return config.peers.find(
    (peer): peer is ClusterConfig =>
      peer.kind === 'cluster' && peer.federate !== true && peer.members.some((member) => member.name === name),
  );
}

function notFound(config: Config, name: string): ShardctlError {
  return new ShardctlError('NOT_FOUND', `there is no peer "${name}"`, {
    hint: `the peers are ${config.peers.flatMap(peerNames).join(', ') || 'none'}`,
  });
}
