/** The settings of a home: their types and defaults. */
import type { Replication } from '../core/model.ts';
import type { OwnGate } from '../core/verdict.ts';

/** Format of `config.json` as this version writes it. */
export const CONFIG_FORMAT = 1;

const MIB = 1024 * 1024;
export const DEFAULT_SHARD_BYTES = 128 * MIB;
export const DEFAULT_PROFILE = 'unixfs-v1-2025';
export const DEFAULT_PEER_NAME = 'local';
/** Names of peers stand in messages, labels and file names. */
export const PEER_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

export type PeerLayout = 'car' | 'blockstore';

/** Settings that every kind of peer may have, by which shards are allocated. */
export interface PlacementConfig {
  /** The most bytes that its shards may take; for a daemon the most for its whole datastore, in place of the daemon's own setting. */
  readonly capacity?: number | undefined;
  /** Bytes that are to stay free on its disk. */
  readonly reserve?: number | undefined;
  /** Its share of the shards, relative to other peers, for the allocator `weight`. */
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
  /** Other users of the machine are meant to read it. */
  readonly shared?: boolean | undefined;
}

/** A Kubo daemon, driven over its RPC. */
export interface KuboPeerConfig extends PlacementConfig {
  readonly kind: 'kubo';
  readonly name: string;
  /** Of its RPC. If it has `user:password@` in it, the settings are written for their owner alone. */
  readonly url: string;
  /** The daemon's peer ID: another daemon at this URL is another peer. */
  readonly id: string;
  /** By this an earlier version told apart the roots that homes had pinned there; homes have IDs of their own now. */
  readonly owner?: string | undefined;
  /** File with its bearer token, absolute or relative to the home. */
  readonly tokenFile?: string | undefined;
  /** Of its gateway. */
  readonly gateway?: string | undefined;
}

/** An IPFS Cluster, each member of which is a peer, or which is one peer as a whole. Capacity, reserve and weight are those of each of these peers. */
export interface ClusterConfig extends PlacementConfig {
  readonly kind: 'cluster';
  readonly name: string;
  /** Of the REST API of one member. */
  readonly url: string;
  readonly user?: string | undefined;
  /** By this an earlier version told apart the roots that homes had pinned there; homes have IDs of their own now. */
  readonly owner?: string | undefined;
  /** Paths of files, absolute or relative to the home: what is secret is not written here. */
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
  /** The members that are peers, whether they answer or not. */
  readonly members: readonly ClusterMemberConfig[];
  /** Members that get no shards: that follow, were taken out, or have joined since. */
  readonly bystanders?: readonly Bystander[] | undefined;
}

export interface Bystander {
  /** Its ID in the Cluster. */
  readonly id: string;
  /** As it calls itself. */
  readonly name: string;
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
  /** Nothing new goes there: what it holds is being moved away. */
  readonly drained?: boolean | undefined;
}

export type PeerConfig = LocalPeerConfig | KuboPeerConfig | ClusterConfig;

/** Names of the peers that these settings stand for. */
export function peerNames(peer: PeerConfig): string[] {
  if (peer.kind !== 'cluster' || peer.federate === true) return [peer.name];
  return peer.members.map(({ name }) => name);
}

/** Whether there are passwords in the settings: in URLs. */
export function holdsSecret({ peers }: Pick<Config, 'peers'>): boolean {
  const urls = peers.flatMap((peer) => {
    if (peer.kind === 'local') return [];
    return [peer.url, ...(peer.kind === 'cluster' ? peer.members.map(({ kubo }) => kubo ?? '') : [])];
  });
  return urls.some((url) => /^[a-z]+:\/\/[^/?#]*@/i.test(url));
}

export interface Config extends OwnGate {
  readonly format: typeof CONFIG_FORMAT;
  readonly peers: readonly PeerConfig[];
  readonly replication: Replication;
  /** Names of allocators, in the order in which they decide. */
  readonly allocateBy: readonly string[];
  /** Bytes of blocks at which a shard is sealed. */
  readonly shardSize: number;
  readonly profile: string;
  /** Other users of the machine are meant to read the home. */
  readonly shared?: boolean | undefined;
  /** Which snapshots `check` keeps, of repositories that ask for nothing else; absent: all of them. */
  readonly keep?: string | undefined;
  /** How long a peer may be silent before its replicas are made anew elsewhere, such as `6h`; absent: no time at all. */
  readonly grace?: string | undefined;
  /** Commands that the shell runs after each commit, and when something is wrong; and how long they may take. */
  readonly onCommit?: string | undefined;
  readonly onProblem?: string | undefined;
  readonly hookTimeout?: string | undefined;
}

export const DEFAULT_CONFIG: Config = {
  format: CONFIG_FORMAT,
  peers: [],
  replication: { min: 1, max: 1 },
  allocateBy: ['freespace'],
  shardSize: DEFAULT_SHARD_BYTES,
  profile: DEFAULT_PROFILE,
};
