/** Settings become peers: adapters are made here and in `kubo-peers.ts` and `cluster-peers.ts`, which are loaded only where one is set up. */
import { hostname } from 'node:os';
import { resolve } from 'node:path';
import type { Config, LocalPeerConfig, PeerConfig } from '../../home/config.ts';
import type { HomePaths } from '../../home/home.ts';
import { ownerOf } from '../../home/identity.ts';
import type { SharedSpace } from '../../peer/local/free-space.ts';
import { LocalPeer } from '../../peer/local/local.ts';
import type { Peer } from '../../peer/peer.ts';
import type { Context } from '../command-line/context.ts';

/** The directory of a local peer; in the settings it may be relative to the home. */
export function peerPath(home: HomePaths, peer: LocalPeerConfig): string {
  return resolve(home.dir, peer.path);
}

/** The local peers, each with its directory. */
export function localPaths(home: HomePaths, { peers }: Pick<Config, 'peers'>): (readonly [LocalPeerConfig, string])[] {
  return peers.flatMap((peer) => (peer.kind === 'local' ? [[peer, peerPath(home, peer)] as const] : []));
}

/** Peers that are open until `close`. */
export interface OpenPeers {
  readonly peers: ReadonlyMap<string, Peer>;
  close(): Promise<void>;
}

/** Opens the peers that the settings name. @param space what other runs put on local peers; absent where no other run can */
export async function openPeers(context: Context, config: Config, space?: SharedSpace): Promise<OpenPeers> {
  const peers = (await Promise.all(config.peers.map((peer) => peersOf(context, peer, space)))).flat();
  return {
    peers: new Map(peers.map((peer) => [peer.name, peer])),
    close: async () => void (await Promise.allSettled(peers.map((peer) => peer.close?.()))),
  };
}

/** Runs `work` on the peers that the settings name, and closes them after it. @param space as of `openPeers` */
export async function withPeers<T>(
  context: Context,
  config: Config,
  work: (peers: ReadonlyMap<string, Peer>) => Promise<T>,
  space?: SharedSpace,
): Promise<T> {
  const opened = await openPeers(context, config, space);
  try {
    return await work(opened.peers);
  } finally {
    await opened.close();
  }
}

/** A Cluster is as many peers as it has members that count. */
async function peersOf(context: Context, peer: PeerConfig, space: SharedSpace | undefined): Promise<Peer[]> {
  if (peer.kind === 'local') return [new LocalPeer({ ...localOptions(context.home, peer), space })];
  if (peer.kind === 'kubo') return [(await import('./kubo-peers.ts')).kuboPeer(context, peer)];
  return (await import('./cluster-peers.ts')).clusterPeers(context, peer);
}

export function localOptions(home: HomePaths, peer: LocalPeerConfig) {
  return { ...peer, path: peerPath(home, peer), owner: ownerOf(home, hostname()) };
}
