/** The settings of a home, as data. */
import type { Replication } from '../model.ts';

/** Format of the home as this version writes it. */
export const CONFIG_FORMAT = 1;

const MIB = 1024 * 1024;
export const DEFAULT_SHARD_BYTES = 128 * MIB;
export const DEFAULT_PROFILE = 'unixfs-v1-2025';
export const DEFAULT_PEER_NAME = 'local';

export type PeerLayout = 'car' | 'blockstore';

/** A directory on this machine that stores shards. */
export interface LocalPeerConfig {
  readonly kind: 'local';
  readonly name: string;
  /** Absolute, or relative to the home so that a home can be moved. */
  readonly path: string;
  readonly layout: PeerLayout;
  /** Most bytes that its shards may take. */
  readonly capacity?: number | undefined;
  readonly tags: Readonly<Record<string, string>>;
}

/** An IPFS Cluster, each member of which is a peer, or which is one peer as a whole. */
export interface ClusterConfig {
  readonly kind: 'cluster';
  readonly name: string;
  /** Of the REST API of one member. */
  readonly url: string;
  readonly user?: string | undefined;
  /** Paths of files, absolute: what is secret is not written here. */
  readonly passwordFile?: string | undefined;
  readonly tokenFile?: string | undefined;
  /** Certificate, or those of an authority, as PEM. */
  readonly ca?: string | undefined;
  /** Of a gateway from which shards are read where no Kubo is known. */
  readonly gateway?: string | undefined;
  /** The whole Cluster is one peer, and chooses the members itself. */
  readonly federate?: boolean | undefined;
  /** Replicas inside a Cluster that is one peer. [as it is configured itself] */
  readonly replication?: Replication | undefined;
  /** Most bytes that shards may take on each member; on all together when it is one peer. */
  readonly capacity?: number | undefined;
  readonly tags: Readonly<Record<string, string>>;
  /** Those that were ever seen: one that is away is still a peer. */
  readonly members: readonly ClusterMemberConfig[];
}

export interface ClusterMemberConfig {
  /** Its ID in the Cluster. */
  readonly id: string;
  /** As a peer. */
  readonly name: string;
  /** URL of its Kubo's RPC API. */
  readonly kubo?: string | undefined;
  /** Peer ID of its Kubo: another daemon at that URL is not it. */
  readonly kuboId?: string | undefined;
}

export type PeerConfig = LocalPeerConfig | ClusterConfig;

/** Names of the peers that these settings stand for. */
export function peerNames(peer: PeerConfig): string[] {
  if (peer.kind !== 'cluster' || peer.federate === true) return [peer.name];
  return peer.members.map(({ name }) => name);
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
