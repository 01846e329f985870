/** Changes to the settings of peers that are there already. Must be called by the only writer. */
import { ShardctlError } from '../errors.ts';
import type { Config, PeerConfig } from '../home/config.ts';
import { saveConfig } from '../home/config-file.ts';
import type { HomePaths } from '../home/home.ts';

/** @throws ShardctlError `NOT_FOUND` */
export function peerNamed(config: Config, name: string): PeerConfig {
  const peer = config.peers.find((candidate) => candidate.name === name);
  if (peer !== undefined) return peer;
  throw new ShardctlError('NOT_FOUND', `there is no peer "${name}"`, {
    hint: `the peers are ${config.peers.map((known) => known.name).join(', ') || 'none'}`,
  });
}

/** Puts `changed` in the place of the peer of its name; fields that are undefined go. */
export function savePeer(home: HomePaths, config: Config, changed: PeerConfig): void {
  saveConfig(home, { ...config, peers: config.peers.map((peer) => (peer.name === changed.name ? changed : peer)) });
}

export function removePeer(home: HomePaths, config: Config, name: string): void {
  saveConfig(home, { ...config, peers: config.peers.filter((peer) => peer.name !== name) });
}
