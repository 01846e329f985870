/** Settings of an IPFS Cluster become peers. Loaded only where one is set up. */
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { errnoOf, ShardctlError } from '../../core/errors.ts';
import type { ClusterConfig, ClusterMemberConfig } from '../../home/config.ts';
import type { HomePaths } from '../../home/home.ts';
import { ownerOf } from '../../home/identity.ts';
import { ClusterApi } from '../../peer/cluster/api.ts';
import { Cluster, type ClusterMember } from '../../peer/cluster/cluster.ts';
import { FederatedPeer } from '../../peer/cluster/federated.ts';
import { memberPeers } from '../../peer/cluster/member.ts';
import { HttpClient } from '../../peer/http/client.ts';
import { KuboPeer } from '../../peer/kubo/kubo.ts';
import type { Peer } from '../../peer/peer.ts';
import { Gateway, openThrough } from '../../peer/remote/gateway.ts';
import type { Context } from '../command-line/context.ts';
import { tokenOf } from './kubo-peers.ts';

/** The members of a Cluster as peers, or the Cluster as one. Sends nothing yet. @throws ShardctlError when the file of a password, token or certificate cannot be read */
export function clusterPeers(context: Context, config: ClusterConfig): Peer[] {
  const { name, tags, capacity, reserve, weight, drained } = config;
  const cluster = new Cluster({
    name,
    owner: ownerOf(context.home, hostname()),
    api: new ClusterApi(clientOf(context.home, config, name)),
    members: config.members.map((member) => memberOf(member, context.now)),
    tags,
    capacity,
    reserve,
    weight,
    drained,
    gateway: readerOf(config),
    now: context.now,
  });
  return config.federate === true ? [new FederatedPeer(cluster, config.replication)] : memberPeers(cluster);
}

/**
 * @param settingsName the Cluster's name when it is in the settings already, so that errors can name the command that takes it out
 * @throws ShardctlError when a file with what is secret cannot be read
 */
export function clientOf(
  home: HomePaths,
  { name, url, user, passwordFile, tokenFile, ca }: ClusterConfig,
  settingsName?: string,
): HttpClient {
  return new HttpClient({
    url,
    who: `cluster "${name}"`,
    settingsName,
    user,
    password: passwordFile === undefined ? undefined : secretIn(resolve(home.dir, passwordFile), `the password of cluster "${name}"`),
    token: tokenOf(home, name, tokenFile),
    ca: ca === undefined ? undefined : read(resolve(home.dir, ca), `the certificate of cluster "${name}"`),
  });
}

/** The member's Kubo gives its pins no names: the Cluster does. */
function memberOf({ id, name, kubo, kuboId, drained }: ClusterMemberConfig, now: () => number): ClusterMember {
  if (kubo === undefined || kuboId === undefined) return { id, name, drained };
  return {
    id,
    name,
    drained,
    kubo: new KuboPeer({ name, who: `the Kubo of "${name}"`, url: kubo, id: kuboId, owner: undefined, namesPins: false, now }),
  };
}

function readerOf({ name, gateway }: ClusterConfig) {
  if (gateway === undefined) return undefined;
  const source = new Gateway(new HttpClient({ url: gateway, who: `the gateway of cluster "${name}"` }));
  return (cid: string) => openThrough(source, cid);
}

/** Editors end files with a newline. */
function secretIn(file: string, what: string): string {
  return read(file, what).replace(/\r?\n$/, '');
}

function read(file: string, what: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new ShardctlError('BAD_CONFIG', `${what} cannot be read (${file}): ${errnoOf(error) ?? String(error)}`, {
      hint: 'mend the file, or name another one in config.json',
      cause: error,
    });
  }
}
