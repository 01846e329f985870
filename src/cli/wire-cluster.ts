/** The composition root's part for an IPFS Cluster: its settings become peers. Loaded only where one is set up. */
import { readFileSync } from 'node:fs';
import { ioError, ShardctlError } from '../errors.ts';
import { type ClusterConfig, type ClusterMemberConfig, type Config, peerNames } from '../home/config.ts';
import { ClusterApi } from '../peer/cluster/api.ts';
import { Cluster, type ClusterMember } from '../peer/cluster/cluster.ts';
import { FederatedPeer } from '../peer/cluster/federated.ts';
import { Gateway, openThrough } from '../peer/cluster/gateway.ts';
import { memberPeers } from '../peer/cluster/member.ts';
import { HttpClient } from '../peer/http/client.ts';
import { KuboPeer } from '../peer/kubo/kubo.ts';
import { KuboRpc } from '../peer/kubo/rpc.ts';
import type { Peer } from '../peer/peer.ts';
import type { Context } from './context.ts';

/** Its members as peers, or all of it as one. Asks nothing yet. @throws ShardctlError when a file with what is secret cannot be read */
export async function clusterPeers(context: Context, config: ClusterConfig): Promise<Peer[]> {
  const { name, tags, capacity } = config;
  const cluster = new Cluster({
    name,
    api: new ClusterApi(clientOf(config)),
    members: config.members.map((member) => memberOf(member, context)),
    tags,
    capacity,
    gateway: readerOf(config),
    now: context.now,
  });
  return config.federate === true ? [new FederatedPeer(cluster, config.replication)] : memberPeers(cluster);
}

/**
 * The settings of a Cluster with its members, as it names them.
 * @throws ShardctlError when it does not answer, is a peer already, or has no member of a name
 */
export async function newCluster(
  { peers }: Config,
  asked: ClusterConfig,
  kubos: readonly { readonly member: string; readonly url: string }[],
): Promise<ClusterConfig> {
  const taken = new Set(peers.flatMap((peer) => [peer.name, ...peerNames(peer)]));
  if (taken.has(asked.name)) {
    throw new ShardctlError('USAGE', `there is a peer "${asked.name}" already`, { hint: 'choose another name with --name' });
  }
  const found = await withNewMembers(asked, taken);
  if (found === undefined) throw new ShardctlError('TOO_FEW_PEERS', `${asked.url} answers, but no member of its Cluster does`);
  const ids = new Set(found.members.map(({ id }) => id));
  const same = peers.find((peer) => peer.kind === 'cluster' && peer.members.some(({ id }) => ids.has(id)));
  if (same !== undefined) throw new ShardctlError('USAGE', `${asked.url} is cluster "${same.name}" already`);
  const members = [...found.members];
  for (const { member, url } of kubos) {
    const at = members.findIndex(({ id, name }) => id === member || name === member || name === `${asked.name}.${member}`);
    const its = members[at];
    if (its === undefined) {
      throw new ShardctlError('USAGE', `the Cluster has no member "${member}": it has ${members.map(({ name }) => name).join(', ')}`);
    }
    const { id } = await new KuboRpc(new HttpClient({ url, who: `the Kubo of "${its.name}"` })).id();
    if (its.kuboId !== undefined && id !== its.kuboId) {
      throw new ShardctlError('USAGE', `the Kubo of "${its.name}" is ${its.kuboId}, and not the one at ${url} (${id})`);
    }
    members[at] = { ...its, kubo: url, kuboId: id };
  }
  return { ...found, members };
}

/** The settings with the members that are new, or undefined when there are none. @throws ShardctlError when the Cluster does not answer */
export async function withNewMembers(config: ClusterConfig, taken: ReadonlySet<string>): Promise<ClusterConfig | undefined> {
  const api = new ClusterApi(clientOf(config));
  try {
    const known = new Set(config.members.map(({ id }) => id));
    const names = new Set(taken);
    const fresh: ClusterMemberConfig[] = [];
    for (const { id, peername, ipfs } of await api.members()) {
      // One that does not answer has no name; it will have one when it does.
      if (known.has(id) || peername === '') continue;
      const name = nameFor(`${config.name}.${peername}`, names);
      names.add(name);
      fresh.push({ id, name, ...(ipfs.id === '' ? {} : { kuboId: ipfs.id }) });
    }
    return fresh.length === 0 ? undefined : { ...config, members: [...config.members, ...fresh] };
  } finally {
    await api.close();
  }
}

function clientOf({ name, url, user, passwordFile, tokenFile, ca }: ClusterConfig): HttpClient {
  return new HttpClient({
    url,
    who: `cluster "${name}"`,
    user,
    password: passwordFile === undefined ? undefined : secretIn(passwordFile),
    token: tokenFile === undefined ? undefined : secretIn(tokenFile),
    ca: ca === undefined ? undefined : read(ca),
  });
}

function memberOf({ id, name, kubo, kuboId }: ClusterMemberConfig, { home, now }: Context): ClusterMember {
  if (kubo === undefined || kuboId === undefined) return { id, name };
  return { id, name, kubo: new KuboPeer({ name, url: kubo, id: kuboId, owner: home.dir, now }) };
}

function readerOf({ name, gateway }: ClusterConfig) {
  if (gateway === undefined) return undefined;
  const source = new Gateway(new HttpClient({ url: gateway, who: `the gateway of cluster "${name}"` }));
  return (cid: string) => openThrough(source, cid);
}

/** The first line: editors end files with a newline. */
function secretIn(file: string): string {
  return (read(file).split('\n')[0] as string).trim();
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw ioError(error, 'reading what the Cluster wants to see', file);
  }
}

/** A valid name that is not taken. */
function nameFor(wanted: string, taken: ReadonlySet<string>): string {
  const base = wanted.replace(/[^A-Za-z0-9._-]/g, '-').slice(0, 58);
  let name = base;
  for (let i = 2; taken.has(name); i++) name = `${base}-${i}`;
  return name;
}
