/**
 * What the settings say of an IPFS Cluster: which of its members count, by what names, and where their Kubo are.
 *
 * A Cluster has members that only follow: they keep a copy for themselves and may be gone tomorrow. Its REST API shows them like any
 * other; all that tells them apart is that the others do not trust them, where whom to trust is configured at all. So members are
 * chosen once, when the Cluster is set up, and one that is met later counts when somebody says so.
 */
import { displayText, shellWord } from '../../core/display.ts';
import { ShardctlError } from '../../core/errors.ts';
import {
  type Bystander,
  type ClusterConfig,
  type ClusterMemberConfig,
  type Config,
  type PeerConfig,
  peerNames,
} from '../../home/config.ts';
import { saveConfig } from '../../home/config-file.ts';
import type { HomePaths } from '../../home/home.ts';
import { ClusterApi } from '../../peer/cluster/api.ts';
import type { Member } from '../../peer/cluster/api-answers.ts';
import { HttpClient } from '../../peer/http/client.ts';
import { HttpError } from '../../peer/http/error.ts';
import { KuboRpc } from '../../peer/kubo/rpc.ts';
import type { Context } from '../command-line/context.ts';
import { clientOf } from './cluster-peers.ts';

/** What a user says of a Cluster; its members are asked of the Cluster. */
export interface AskedCluster {
  readonly settings: Omit<ClusterConfig, 'owner' | 'members' | 'bystanders'>;
  /** Members that count, beside those that do already, by their names or IDs; empty for those that the Cluster trusts, when it is new here. */
  readonly counting: readonly string[];
  readonly kubos: readonly MemberKubo[];
}

interface MemberKubo {
  /** Name or ID of a member, as the Cluster or we call it. */
  readonly member: string;
  readonly url: string;
}

/**
 * Asks a Cluster for its members and adds it to the settings, or changes what these say. Must be called by the only writer.
 * @throws ShardctlError when it does not answer, goes by another name already, or has no such member
 */
export async function addCluster({ home }: Context, config: Config, { settings, counting, kubos }: AskedCluster): Promise<ClusterConfig> {
  const before = config.peers.find((peer): peer is ClusterConfig => peer.kind === 'cluster' && peer.name === settings.name);
  const { members = [], bystanders } = before ?? {};
  const asked: ClusterConfig = { ...settings, members, bystanders };
  const others = config.peers.filter((peer) => peer !== before);
  if (namesOf(others).has(asked.name)) {
    throw new ShardctlError('USAGE', `there is a peer "${asked.name}" already`, { hint: 'choose another name with --name' });
  }
  const answering = await askedOf(home, asked, (api) => api.members());
  if (answering.length === 0) throw new ShardctlError('TOO_FEW_PEERS', `${asked.url} answers, but no member of its Cluster does`);
  const isIn = (cluster: ClusterConfig) => answering.some(({ id }) => knownTo(cluster).has(id));
  const same = others.find((peer) => peer.kind === 'cluster' && isIn(peer));
  if (same !== undefined) throw new ShardctlError('USAGE', `${asked.url} is cluster "${same.name}" already`);
  if (before !== undefined && !isIn(before)) {
    throw new ShardctlError('USAGE', `${asked.url} is not cluster "${asked.name}", which is set up already: it has other members`, {
      hint: 'choose another name with --name',
    });
  }
  const chosen = await chosenOf(home, asked, answering, counting);
  const grown = withMembers(asked, answering, chosen, namesOf(others));
  const made = { ...grown, members: await withKubos(grown, kubos) };
  saveConfig(home, { ...config, peers: [...others, made] });
  return made;
}

/** The settings with more members that count. @param counting their names or IDs @throws ShardctlError when one of them is not there */
export async function withCounting(home: HomePaths, config: Config, cluster: ClusterConfig, counting: readonly string[]) {
  if (cluster.federate === true) throw isFederated(cluster);
  const answering = await askedOf(home, cluster, (api) => api.members());
  return withMembers(cluster, answering, named(cluster, answering, counting), namesOf(config.peers));
}

/**
 * Looks for members that have joined a Cluster, and warns of each of them once. They are given nothing until somebody says that they
 * count, as they may only follow. Must be called by the only writer.
 */
export async function withNewMembers({ home, reporter }: Context, config: Config): Promise<Config> {
  const refresh = async (peer: PeerConfig) => {
    if (peer.kind !== 'cluster') return peer;
    return await refreshed(home, peer, config.peers, (fresh) => {
      const message = `cluster "${peer.name}" has more members than count: ${fresh.map(({ peername }) => displayText(peername)).join(', ')}`;
      const hint = `nothing is stored there, unless you say \`shardctl peers set ${peer.name} ${membersOption(fresh)}\``;
      reporter.event({ type: 'warning', message, hint });
    });
  };
  const peers = await Promise.all(config.peers.map(refresh));
  if (peers.every((peer, at) => peer === config.peers[at])) return config;
  const changed = { ...config, peers };
  saveConfig(home, changed);
  return changed;
}

/**
 * The settings with the members that have joined; the same object when there are none, or when the Cluster does not answer.
 * @param onNew told of members that were never seen before, and do not count
 */
export async function refreshed(
  home: HomePaths,
  cluster: ClusterConfig,
  peers: readonly PeerConfig[],
  onNew: (members: readonly Member[]) => void,
): Promise<ClusterConfig> {
  let answering: Member[];
  try {
    answering = await askedOf(home, cluster, (api) => api.members());
  } catch (error) {
    if (error instanceof ShardctlError) return cluster;
    throw error;
  }
  const known = knownTo(cluster);
  const fresh = answering.filter(({ id }) => !known.has(id));
  if (fresh.length === 0) return cluster;
  if (cluster.federate !== true) onNew(fresh);
  return withMembers(cluster, answering, cluster.federate === true ? fresh : [], namesOf(peers));
}

/** IDs of all members that were ever seen. */
function knownTo({ members, bystanders = [] }: ClusterConfig): Set<string> {
  return new Set([...members, ...bystanders].map(({ id }) => id));
}

/** The members that are to count, of those that answer. */
async function chosenOf(
  home: HomePaths,
  cluster: ClusterConfig,
  answering: readonly Member[],
  counting: readonly string[],
): Promise<readonly Member[]> {
  if (cluster.federate === true) {
    if (counting.length > 0) throw isFederated(cluster);
    return answering;
  }
  if (counting.length > 0) return named(cluster, answering, counting);
  if (knownTo(cluster).size > 0) return [];
  try {
    const trusted = await askedOf(home, cluster, (api) => api.trusted());
    return answering.filter(({ id }) => trusted.has(id));
  } catch (error) {
    if (!(error instanceof ShardctlError)) throw error;
    throw new ShardctlError(error.code, `cluster "${cluster.name}" does not say which of its members it trusts: ${error.message}`, {
      hint: `say which of them count, for example ${membersOption(answering)}`,
      cause: error,
    });
  }
}

/** The option as it can be typed. A member whose name holds a comma, or characters that no terminal shows, goes by its ID. */
function membersOption(members: readonly Member[]): string {
  const words = members.map(({ id, peername }) => (/[,\\]|^\s|\s$/.test(displayText(peername)) ? id : peername));
  return `--members ${shellWord(words.join(','))}`;
}

function isFederated({ name }: ClusterConfig): ShardctlError {
  return new ShardctlError(
    'USAGE',
    `cluster "${name}" is one peer, and chooses its members itself: --members is for one whose members are peers`,
  );
}

/** @throws ShardctlError `USAGE` when one of the names is nobody's */
function named({ name, members }: ClusterConfig, answering: readonly Member[], counting: readonly string[]): Member[] {
  return counting.flatMap((wanted) => {
    const found = answering.filter(({ id, peername }) => id === wanted || peername === wanted || `${name}.${peername}` === wanted);
    if (found.length > 0) return found;
    // A member that counts already goes on counting while it does not answer.
    if (members.some((member) => member.id === wanted || member.name === wanted || member.name === `${name}.${wanted}`)) return [];
    throw new ShardctlError('USAGE', `the Cluster has no member "${wanted}" now`, {
      hint: `it has ${answering.map(({ peername }) => peername).join(', ')}`,
    });
  });
}

/** The chosen members count from now on; all others that answer become bystanders. */
function withMembers(
  cluster: ClusterConfig,
  answering: readonly Member[],
  chosen: readonly Member[],
  taken: ReadonlySet<string>,
): ClusterConfig {
  const members = [...cluster.members];
  const names = new Set([...taken, ...members.map(({ name }) => name)]);
  for (const { id, peername, kuboId } of chosen) {
    if (members.some((member) => member.id === id)) continue;
    const name = nameFor(`${cluster.name}.${peername}`, names);
    names.add(name);
    members.push({ id, name, ...(kuboId === '' ? {} : { kuboId }) });
  }
  const counts = new Set(members.map(({ id }) => id));
  const bystanders = new Map((cluster.bystanders ?? []).map((one): [string, Bystander] => [one.id, one]));
  for (const { id, peername } of answering) bystanders.set(id, { id, name: peername });
  for (const id of counts) bystanders.delete(id);
  return { ...cluster, members, bystanders: bystanders.size === 0 ? undefined : [...bystanders.values()] };
}

async function withKubos(cluster: ClusterConfig, kubos: readonly MemberKubo[]): Promise<ClusterMemberConfig[]> {
  const members = [...cluster.members];
  for (const { member, url } of kubos) {
    const at = members.findIndex(({ id, name }) => id === member || name === member || name === `${cluster.name}.${member}`);
    const its = members[at];
    if (its === undefined) {
      const known = members.map(({ name }) => name).join(', ');
      throw new ShardctlError('USAGE', `cluster "${cluster.name}" has no member "${member}" that counts: it has ${known}`, {
        hint: `if it is there, --members ${shellWord(member)} takes it in`,
      });
    }
    members[at] = await withKubo(its, url);
  }
  return members;
}

/**
 * A Kubo that does not answer now is taken for the one that the Cluster knows: its ID is compared again before it is used.
 * @throws ShardctlError when another Kubo answers there than that of the member, or none does and the Cluster knows of none
 */
async function withKubo(member: ClusterMemberConfig, url: string): Promise<ClusterMemberConfig> {
  const http = new HttpClient({ url, who: `the Kubo of "${member.name}"` });
  try {
    const { id } = await new KuboRpc(http).id();
    if (member.kuboId === undefined || id === member.kuboId) return { ...member, kubo: url, kuboId: id };
    throw new ShardctlError('USAGE', `the Kubo of "${member.name}" is ${member.kuboId}, and not the one at ${http.address} (${id})`);
  } catch (error) {
    if (!(error instanceof HttpError) || error.status !== undefined || member.kuboId === undefined) throw error;
    return { ...member, kubo: url };
  } finally {
    await http.close();
  }
}

async function askedOf<T>(home: HomePaths, config: ClusterConfig, ask: (api: ClusterApi) => Promise<T>): Promise<T> {
  const api = new ClusterApi(clientOf(home, config));
  try {
    return await ask(api);
  } finally {
    await api.close();
  }
}

function namesOf(peers: readonly PeerConfig[]): Set<string> {
  return new Set(peers.flatMap((peer) => [peer.name, ...peerNames(peer)]));
}

/** A valid name that is not taken. */
function nameFor(wanted: string, taken: ReadonlySet<string>): string {
  const base = wanted.replace(/[^A-Za-z0-9._-]/g, '-').slice(0, 58);
  let name = base;
  for (let i = 2; taken.has(name); i++) name = `${base}-${i}`;
  return name;
}
