/** Peers that hold shards already, by where they are: directories by their paths, Kubo daemons by their URLs. */
import { basename } from 'node:path';
import { type Config, DEFAULT_CONFIG, type LocalPeerConfig, peerNames } from '../../home/config.ts';
import { layoutAt } from '../../peer/local/directory/identity.ts';
import type { Peer } from '../../peer/peer.ts';
import type { Context } from '../command-line/context.ts';
import { hostOf, isUrl } from '../command-line/peer-options.ts';
import { addLocalPeer } from './local-peers.ts';
import { peerPath, withPeers } from './peers.ts';
import type { Session } from './session.ts';
import { settingsIn } from './settings.ts';

/**
 * Adds peers at these places to the settings, and runs `work` with them.
 * @throws ShardctlError when one of them is no peer
 */
export async function withPeersAt<T>(
  context: Context,
  session: Session,
  places: readonly string[],
  work: (session: Session) => Promise<T>,
): Promise<T> {
  let { config } = session;
  for (const place of places) {
    const peer = isUrl(place)
      ? await (await import('./kubo-peers.ts')).addKuboAt(context, config, place, freeName(config, hostOf(place)))
      : await addLocalAt(context, config, place);
    if (peer !== undefined) config = { ...config, peers: [...config.peers, peer] };
  }
  return await withPeers(context, config, (peers) => work({ ...session, config, peers }));
}

/**
 * Runs `work` on the peers of the home and on those at these places, as `withPeersAt` does; neither settings nor home are written,
 * and there need not be a home.
 */
export async function lookingAt<T>(
  context: Context,
  places: readonly string[],
  work: (peers: ReadonlyMap<string, Peer>) => Promise<T>,
): Promise<T> {
  let config = (await settingsIn(context)) ?? DEFAULT_CONFIG;
  for (const place of places) {
    const peer = isUrl(place)
      ? await (await import('./kubo-peers.ts')).kuboAt(context, config, place, freeName(config, hostOf(place)))
      : await localAt(context, config, place);
    if (peer !== undefined) config = { ...config, peers: [...config.peers, peer] };
  }
  return await withPeers(context, config, work);
}

/** Undefined when it is in the settings already. */
async function addLocalAt(context: Context, config: Config, path: string): Promise<LocalPeerConfig | undefined> {
  const peer = await localAt(context, config, path);
  if (peer !== undefined) await addLocalPeer(context.home, config, peer);
  return peer;
}

/** With the name, tags and limits that it had in the home that was lost, where that has noted them. */
async function localAt({ home, args, now }: Context, config: Config, path: string): Promise<LocalPeerConfig | undefined> {
  if (config.peers.some((peer) => peer.kind === 'local' && peerPath(home, peer) === path)) return undefined;
  const layout = await layoutAt(path);
  const { peerNoted } = await import('./home-notes.ts');
  const { name = basename(path), ...noted } = (await peerNoted(path, args.text('owner'), now())) ?? {};
  return { kind: 'local', name: freeName(config, name), path, layout, tags: {}, ...noted };
}

/** A name for a peer that no other has. */
export function freeName(config: Config, wish: string): string {
  const taken = new Set(config.peers.flatMap((peer) => [peer.name, ...peerNames(peer)]));
  const base = (wish.replace(/[^A-Za-z0-9._-]/g, '').replace(/^[._-]+/, '') || 'peer').slice(0, 50);
  let name = base;
  for (let i = 2; taken.has(name); i++) name = `${base}-${i}`;
  return name;
}
