/** The composition root's part for an IPFS Cluster: its settings become peers. Loaded only where one is set up. */
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { errnoOf, ShardctlError } from '../errors.ts';
import { type ClusterConfig, type ClusterMemberConfig, type Config, type PeerConfig, peerNames } from '../home/config.ts';
import { saveConfig } from '../home/config-file.ts';
import type { HomePaths } from '../home/home.ts';
import { ownerOf } from '../home/identity.ts';
import type { Member } from '../peer/cluster/answers.ts';
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
import { tokenOf } from './wire-kubo.ts';

/** Its members as peers, or all of it as one. Asks nothing yet. @throws ShardctlError when a file with what is secret cannot be read */
export function clusterPeers(context: Context, config: ClusterConfig): Peer[] {
  const { name, tags, capacity, reserve, weight, drained } = config;
  const cluster = new Cluster({
    name,
    owner: ownerOf(context.home, hostname()).id,
    api: new ClusterApi(clientOf(context.home, config)),
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

/** What a user says of a Cluster; it says the rest itself. */
export type NewCluster = Omit<ClusterConfig, 'members'>;

/**
 * Asks a Cluster for its members and adds it to the settings, or changes what these say. Must be called by the only writer.
 * @param kubos by name or ID of a member, as the Cluster or we call it
 */
export async function addCluster(
  { home }: Context,
  config: Config,
  asked: NewCluster,
  kubos: readonly MemberKubo[],
): Promise<ClusterConfig> {
  const made = await newCluster(home, config, asked, kubos);
  saveConfig(home, { ...config, peers: [...config.peers.filter(({ name }) => name !== made.name), made] });
  return made;
}

interface MemberKubo {
  readonly member: string;
  readonly url: string;
}

/**
 * The settings of a Cluster with its members, as it names them. One that is set up already keeps what it knows of its members.
 * @throws ShardctlError when it does not answer, goes by another name already, or has no such member
 */
async function newCluster(home: HomePaths, { peers }: Config, said: NewCluster, kubos: readonly MemberKubo[]): Promise<ClusterConfig> {
  const before = peers.find((peer): peer is ClusterConfig => peer.kind === 'cluster' && peer.name === said.name);
  const asked: ClusterConfig = { ...said, members: before?.members ?? [] };
  const others = peers.filter((peer) => peer !== before);
  const taken = new Set(others.flatMap((peer) => [peer.name, ...peerNames(peer)]));
  if (taken.has(asked.name)) {
    throw new ShardctlError('USAGE', `there is a peer "${asked.name}" already`, { hint: 'choose another name with --name' });
  }
  const answering = await membersOf(home, asked);
  if (answering.length === 0) throw new ShardctlError('TOO_FEW_PEERS', `${asked.url} answers, but no member of its Cluster does`);
  const isIn = ({ members }: ClusterConfig) => answering.some(({ id }) => members.some((member) => member.id === id));
  const same = others.find((peer) => peer.kind === 'cluster' && isIn(peer));
  if (same !== undefined) throw new ShardctlError('USAGE', `${asked.url} is cluster "${same.name}" already`);
  if (before !== undefined && !isIn(before)) {
    throw new ShardctlError('USAGE', `${asked.url} is not cluster "${asked.name}", which is set up already: it has other members`, {
      hint: 'choose another name with --name',
    });
  }
  const members = withNew(asked, answering, taken);
  for (const { member, url } of kubos) {
    const at = members.findIndex(({ id, name }) => id === member || name === member || name === `${asked.name}.${member}`);
    const its = members[at];
    if (its === undefined) {
      throw new ShardctlError('USAGE', `the Cluster has no member "${member}": it has ${members.map(({ name }) => name).join(', ')}`);
    }
    members[at] = await withKubo(its, url);
  }
  return { ...asked, members };
}

/** @throws ShardctlError when another Kubo answers there than that of the member, or none does */
async function withKubo(member: ClusterMemberConfig, url: string): Promise<ClusterMemberConfig> {
  const http = new HttpClient({ url, who: `the Kubo of "${member.name}"` });
  try {
    const { id } = await new KuboRpc(http).id();
    if (member.kuboId === undefined || id === member.kuboId) return { ...member, kubo: url, kuboId: id };
    throw new ShardctlError('USAGE', `the Kubo of "${member.name}" is ${member.kuboId}, and not the one at ${http.address} (${id})`);
  } finally {
    await http.close();
  }
}

/** The settings with members that have come since, or the same ones when there are none, or the Cluster does not answer: later will do. */
export async function refreshed(home: HomePaths, config: ClusterConfig, peers: readonly PeerConfig[]): Promise<ClusterConfig> {
  let answering: Member[];
  try {
    answering = await membersOf(home, config);
  } catch (error) {
    if (error instanceof ShardctlError) return config;
    throw error;
  }
  const members = withNew(config, answering, new Set(peers.flatMap((peer) => [peer.name, ...peerNames(peer)])));
  return members.length === config.members.length ? config : { ...config, members };
}

/** Members that are there now. */
async function membersOf(home: HomePaths, config: ClusterConfig): Promise<Member[]> {
  const api = new ClusterApi(clientOf(home, config));
  try {
    return await api.members();
  } finally {
    await api.close();
  }
}

function withNew(config: ClusterConfig, answering: readonly Member[], taken: ReadonlySet<string>): ClusterMemberConfig[] {
  const members = [...config.members];
  const names = new Set([...taken, ...members.map(({ name }) => name)]);
  for (const { id, peername, kuboId } of answering) {
    if (members.some((member) => member.id === id)) continue;
    const name = nameFor(`${config.name}.${peername}`, names);
    names.add(name);
    members.push({ id, name, ...(kuboId === '' ? {} : { kuboId }) });
  }
  return members;
}

function clientOf(home: HomePaths, { name, url, user, passwordFile, tokenFile, ca }: ClusterConfig): HttpClient {
  return new HttpClient({
    url,
    who: `cluster "${name}"`,
    user,
    password: passwordFile === undefined ? undefined : secretIn(resolve(home.dir, passwordFile), `the password of cluster "${name}"`),
    token: tokenOf(home, name, tokenFile),
    ca: ca === undefined ? undefined : read(resolve(home.dir, ca), `the certificate of cluster "${name}"`),
  });
}

/** Pins have their names in the Cluster. */
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

/** A valid name that is not taken. */
function nameFor(wanted: string, taken: ReadonlySet<string>): string {
  const base = wanted.replace(/[^A-Za-z0-9._-]/g, '-').slice(0, 58);
  let name = base;
  for (let i = 2; taken.has(name); i++) name = `${base}-${i}`;
  return name;
}
