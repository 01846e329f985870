/** The peers that `follow --into` names: those of the home, and new ones, which are added to its settings. */
import { basename } from 'node:path';
import { displayUrl, shellWord } from '../../core/display.ts';
import { ShardctlError } from '../../core/errors.ts';
import { type Config, type PeerConfig, peerNames } from '../../home/config.ts';
import { loadConfig } from '../../home/config-file.ts';
import type { Context } from '../command-line/context.ts';
import { hostOf, isUrl } from '../command-line/peer-options.ts';
import { setUpLocalPeer } from '../session/local-peers.ts';
import { peerPath } from '../session/peers.ts';
import { freeName } from '../session/peers-at.ts';

export interface PeersToFill {
  /** With the new peers. */
  readonly config: Config;
  readonly names: readonly string[];
}

/** Must be called by the only writer. @throws ShardctlError `NOT_FOUND` when there is no peer of a name, and why one cannot be added */
export async function peersToFill(context: Context, config: Config, places: readonly string[]): Promise<PeersToFill> {
  let known = config;
  const names: string[] = [];
  for (const place of places) {
    const found = namesAt(context, known, place);
    if (found !== undefined) names.push(...found);
    else {
      names.push(await add(context, known, place));
      known = (await loadConfig(context.home, context.version)) ?? known;
    }
  }
  return { config: known, names: [...new Set(names)] };
}

/** The peers of the home that a name or a place stands for; undefined when it has none there yet. @throws ShardctlError `NOT_FOUND` for a name */
export function namesAt({ home, absolute }: Context, config: Config, place: string): readonly string[] | undefined {
  const isThere = (peer: PeerConfig) => {
    if (peer.name === place || peerNames(peer).includes(place)) return true;
    return peer.kind === 'local' ? peerPath(home, peer) === absolute(place) : peer.url.replace(/\/$/, '') === place.replace(/\/$/, '');
  };
  const found = config.peers.find(isThere);
  if (found !== undefined) return peerNames(found).includes(place) ? [place] : peerNames(found);
  if (isUrl(place) || place.includes('/')) return undefined;
  throw new ShardctlError('NOT_FOUND', `there is no peer "${place}"`, {
    hint: `the peers are ${config.peers.flatMap(peerNames).join(', ') || 'none'}; a directory is written with a slash, as ./${place}`,
  });
}

async function add(context: Context, config: Config, place: string): Promise<string> {
  if (isUrl(place)) {
    const { addKuboAt } = await import('../session/kubo-peers.ts');
    const added = await addKuboAt(context, config, place, freeName(config, hostOf(place))).catch((error: unknown) => {
      throw isOther(error) ? withClusterHint(error, place) : error;
    });
    if (added !== undefined) return added.name;
    throw new ShardctlError('USAGE', `the Kubo at ${displayUrl(place)} is a peer of this home under another URL`, {
      hint: 'give its name, as `shardctl peers ls` shows it',
    });
  }
  const path = context.absolute(place);
  const name = freeName(config, basename(path));
  await setUpLocalPeer(context, config, { kind: 'local', name, path, layout: 'car', tags: {} });
  return name;
}

/** Something answers there that is no Kubo. */
function isOther(error: unknown): error is ShardctlError {
  return error instanceof ShardctlError && error.message.includes('HTTP 404');
}

function withClusterHint(error: ShardctlError, place: string): ShardctlError {
  return new ShardctlError(error.code, `at ${displayUrl(place)} is no Kubo`, {
    hint: `an IPFS Cluster is added first, and then named: \`shardctl peers add cluster ${shellWord(displayUrl(place))} --name east\`, and --into east`,
    cause: error,
  });
}
