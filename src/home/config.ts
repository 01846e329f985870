/** The settings of a home, as data. */
import type { Replication } from '../model.ts';

/** Format of the home as this version writes it. */
export const CONFIG_FORMAT = 1;

const MIB = 1024 * 1024;
export const DEFAULT_SHARD_BYTES = 128 * MIB;
export const DEFAULT_PROFILE = 'unixfs-v1-2025';
export const DEFAULT_PEER_NAME = 'local';

export type PeerLayout = 'car' | 'blockstore';

/** What every kind of peer may have: what allocation goes by. */
export interface PlacementConfig {
  /** Most bytes that its shards may take; of a daemon: its whole datastore, instead of what the daemon itself is set to. */
  readonly capacity?: number | undefined;
  /** Bytes that stay free on it. */
  readonly reserve?: number | undefined;
  /** Its part of the shards, for the allocator `weight`. */
  readonly weight?: number | undefined;
  /** Nothing new goes there: what it holds is being moved away. */
  readonly drained?: boolean | undefined;
  readonly tags: Readonly<Record<string, string>>;
}

/** A directory on this machine that stores shards. */
export interface LocalPeerConfig extends PlacementConfig {
  readonly kind: 'local';
  readonly name: string;
  /** Absolute, or relative to the home so that a home can be moved. */
  readonly path: string;
  readonly layout: PeerLayout;
}

/** A Kubo daemon, driven over its RPC. */
export interface KuboPeerConfig extends PlacementConfig {
  readonly kind: 'kubo';
  readonly name: string;
  /** Of its RPC. May have `user:password@` in it: then nobody else may read the settings. */
  readonly url: string;
  /** The daemon's peer ID: another daemon at this URL is another peer. */
  readonly id: string;
  /** Tells the roots that this home pins there from those of another. */
  readonly owner: string;
  /** File with its bearer token, absolute or relative to the home. */
  readonly tokenFile?: string | undefined;
  /** Of its gateway. */
  readonly gateway?: string | undefined;
}

export type PeerConfig = LocalPeerConfig | KuboPeerConfig;

/** Whether something in the settings lets whoever reads it in elsewhere. */
export function holdsSecret({ peers }: Pick<Config, 'peers'>): boolean {
  return peers.some((peer) => 'url' in peer && /^[a-z]+:\/\/[^/?#]*@/i.test(peer.url));
}

export interface Config {
  readonly format: typeof CONFIG_FORMAT;
  readonly peers: readonly PeerConfig[];
  readonly replication: Replication;
  /** Names of allocators, in the order in which they decide. */
  readonly allocateBy: readonly string[];
  /** Bytes of blocks at which a shard is sealed. */
  readonly shardSize: number;
  readonly profile: string;
}

export const DEFAULT_CONFIG: Config = {
  format: CONFIG_FORMAT,
  peers: [],
  replication: { min: 1, max: 1 },
  allocateBy: ['freespace'],
  shardSize: DEFAULT_SHARD_BYTES,
  profile: DEFAULT_PROFILE,
};
