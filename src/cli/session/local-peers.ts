/** Local peers are created and added to the settings. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ShardctlError } from '../../core/errors.ts';
import type { Config, LocalPeerConfig, PeerConfig } from '../../home/config.ts';
import { saveConfig } from '../../home/config-file.ts';
import type { HomePaths } from '../../home/home.ts';
import { LocalPeer } from '../../peer/local/local.ts';
import type { Context } from '../command-line/context.ts';
import { localOptions, peerPath } from './peers.ts';
import { setPeerOpen } from './privacy.ts';

/** As `addLocalPeer`. A new directory is closed to other users unless `shared` is asked for; one that was a peer before stays as it was. */
export async function setUpLocalPeer(context: Context, config: Config, peer: LocalPeerConfig): Promise<void> {
  const path = peerPath(context.home, peer);
  const isNew = !existsSync(join(path, 'peer.json'));
  await addLocalPeer(context.home, config, peer);
  if (isNew || peer.shared === true) setPeerOpen(context, path, peer.shared === true);
}

/** Creates a local peer and adds it to the settings. Must be called by the only writer. */
export async function addLocalPeer(home: HomePaths, config: Config, peer: LocalPeerConfig): Promise<LocalPeer> {
  const made = await LocalPeer.create(localOptions(home, peer));
  const id = await made.id();
  for (const other of config.peers) {
    if ((await idOf(home, other)) === id) throw new ShardctlError('USAGE', `${peerPath(home, peer)} is peer "${other.name}" already`);
  }
  saveConfig(home, { ...config, peers: [...config.peers, peer] });
  return made;
}

/**
 * The ID of a local peer; undefined of any other, and where it cannot be read. Compared before a peer is added, because two names for one
 * directory would count as two replicas.
 */
export async function idOf(home: HomePaths, peer: PeerConfig): Promise<string | undefined> {
  if (peer.kind !== 'local') return undefined;
  try {
    return await new LocalPeer(localOptions(home, peer)).id();
  } catch {
    return undefined;
  }
}
