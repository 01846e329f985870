/** Settings of Kubo daemons become peers. Loaded only where one is set up. */
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { displayUrl } from '../../core/display.ts';
import { errnoOf, ShardctlError } from '../../core/errors.ts';
import type { Config, KuboPeerConfig } from '../../home/config.ts';
import { saveConfig } from '../../home/config-file.ts';
import type { HomePaths } from '../../home/home.ts';
import { ownerOf } from '../../home/identity.ts';
import { KuboNames } from '../../peer/kubo/ipns-names.ts';
import { KuboPeer } from '../../peer/kubo/kubo.ts';
import type { Context } from '../command-line/context.ts';

/** The settings of a new peer without its ID, which the daemon says. */
export type NewKuboPeer = Omit<KuboPeerConfig, 'id'>;

/** Connects to nothing yet. @throws ShardctlError when the file with its token cannot be read */
export function kuboPeer({ home, now }: Context, { tokenFile, ...peer }: KuboPeerConfig): KuboPeer {
  return new KuboPeer({ ...peer, owner: ownerOf(home, hostname()), token: tokenOf(home, peer.name, tokenFile), now });
}

/**
 * Asks the daemon who it is and how much room it has, and adds it to the settings. Must be called by the only writer.
 * @returns its settings, and what is wrong with the daemon's own
 */
export async function addKuboPeer(
  context: Context,
  config: Config,
  peer: NewKuboPeer,
): Promise<{ readonly peer: KuboPeerConfig; readonly warnings: readonly string[] }> {
  const { home } = context;
  const id = await KuboPeer.idAt({ url: peer.url, token: tokenOf(home, peer.name, peer.tokenFile) });
  const known = config.peers.find((other) => other.kind === 'kubo' && other.id === id);
  if (known !== undefined) throw new ShardctlError('USAGE', `the Kubo at ${displayUrl(peer.url)} is peer "${known.name}" already (${id})`);
  const complete: KuboPeerConfig = { ...peer, id };
  const made = kuboPeer(context, complete);
  try {
    await made.metric();
    const warnings = await made.warnings();
    saveConfig(home, { ...config, peers: [...config.peers, complete] });
    return { peer: complete, warnings };
  } finally {
    await made.close();
  }
}

/** As `addKuboPeer`, for one that holds shards already. Undefined when it is in the settings already. */
export async function addKuboAt(context: Context, config: Config, url: string, name: string): Promise<KuboPeerConfig | undefined> {
  const found = await kuboAt(context, config, url, name);
  return found && (await addKuboPeer(context, config, found)).peer;
}

/** The daemon at a URL, by a name and with the token that the command line gives; undefined when it is in the settings already. */
export async function kuboAt(context: Context, config: Config, url: string, name: string): Promise<KuboPeerConfig | undefined> {
  const tokenFile = context.args.text('token-file');
  const id = await KuboPeer.idAt({ url, token: tokenOf(context.home, name, tokenFile) });
  if (config.peers.some((other) => other.kind === 'kubo' && other.id === id)) return undefined;
  const file = tokenFile === undefined ? {} : { tokenFile: context.absolute(tokenFile) };
  return { kind: 'kubo', name, url, id, tags: {}, ...file };
}

/**
 * Daemons that can publish names, by name of the peer.
 * @param only this one @throws ShardctlError `NOT_FOUND` when it is no Kubo daemon
 */
export async function kuboNames(context: Context, { peers }: Config, only: string | undefined): Promise<Map<string, KuboNames>> {
  const kubos = peers.filter((peer): peer is KuboPeerConfig => peer.kind === 'kubo' && (only === undefined || peer.name === only));
  if (only !== undefined && kubos.length === 0) {
    const known = peers.filter(({ kind }) => kind === 'kubo').map(({ name }) => name);
    throw new ShardctlError('NOT_FOUND', `there is no Kubo daemon "${only}"`, { hint: `there is ${known.join(', ') || 'none'}` });
  }
  const names = new Map<string, KuboNames>();
  for (const { name, url, tokenFile } of kubos) {
    const token = tokenOf(context.home, name, tokenFile);
    names.set(name, await KuboNames.connect({ url, who: `peer "${name}"`, token, signal: context.signal }));
  }
  return names;
}

/** From its file, else from the environment: `SHARDCTL_TOKEN_ATTIC` for peer "attic". */
export function tokenOf(home: HomePaths, name: string, tokenFile: string | undefined): string | undefined {
  if (tokenFile === undefined) return process.env[`SHARDCTL_TOKEN_${name.toUpperCase().replace(/[^A-Z0-9]/g, '_')}`] || undefined;
  const path = resolve(home.dir, tokenFile);
  let token: string;
  try {
    token = readFileSync(path, 'utf8').trim();
  } catch (error) {
    throw new ShardctlError('BAD_CONFIG', `the token of peer "${name}" cannot be read (${path}): ${errnoOf(error) ?? String(error)}`, {
      hint: 'mend the file, or name another one in config.json',
      cause: error,
    });
  }
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  throw new ShardctlError('BAD_CONFIG', `the token of peer "${name}" is empty, or more than one word (${path})`);
}
