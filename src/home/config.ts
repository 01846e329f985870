/** The settings of a home, as data. */
import type { Replication } from '../model.ts';

/** Format of the home as this version writes it. */
export const CONFIG_FORMAT = 1;

const MIB = 1024 * 1024;
export const DEFAULT_SHARD_BYTES = 128 * MIB;
export const DEFAULT_PROFILE = 'unixfs-v1-2025';
export const DEFAULT_PEER_NAME = 'local';

export type PeerLayout = 'car' | 'blockstore';

/** How much of a peer is used, whatever kind it is. */
export interface PeerShare {
  /** Bytes that stay free on it. */
  readonly reserve?: number | undefined;
  /** Its part of the shards, for the allocator `weight`. */
  readonly weight?: number | undefined;
  /** Nothing new goes there: what it holds is being moved away. */
  readonly drained?: boolean | undefined;
}

/** A directory on this machine that stores shards. */
export interface LocalPeerConfig extends PeerShare {
  readonly kind: 'local';
  readonly name: string;
  /** Absolute, or relative to the home so that a home can be moved. */
  readonly path: string;
  readonly layout: PeerLayout;
  /** Most bytes that its shards may take. */
  readonly capacity?: number | undefined;
  readonly tags: Readonly<Record<string, string>>;
}

export type PeerConfig = LocalPeerConfig;

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
