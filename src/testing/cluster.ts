/** A real IPFS Cluster for tests: three members, each in front of a Kubo of its own, on loopback, started by `scripts/peers/lab`. */
import { spawn, spawnSync } from 'node:child_process';
import { accessSync, constants, copyFileSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { isAlive, kill } from './signals.ts';

const LAB = fileURLToPath(new URL('../../../scripts/peers/lab', import.meta.url));
export const BINARIES = process.env.SHARDCTL_PEERS ?? join(homedir(), '.cache', 'shardctl-peers');
/** After a restart of all its members a Cluster took half a minute to hear of all metrics, and three times that on a busy machine. */
const WAIT_MS = 120_000;
const TOLD_AGAIN_MS = 20_000;

/** In the log of a member that can be asked. One that is asked a moment too early dies: its REST API is there before what it needs. */
const READY = 'IPFS Cluster is READY';

/** Without a byte in it. */
const EMPTY_BLOCK = 'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku';

export interface LabPeer {
  /** c1, c2, c3; their tag `zone` is z1, z2, z1. */
  readonly name: string;
  /** URLs: Kubo's RPC and gateway, the REST API of its member. */
  readonly kubo: string;
  readonly gateway: string;
  readonly cluster: string;
  /** Peer IDs of the two; they differ. */
  readonly clusterId: string;
  readonly kuboId: string;
  readonly kuboPid: number;
  readonly clusterPid: number;
}

/** Why tests with a real Cluster cannot run here, or false. When `SHARDCTL_TEST_REQUIRE` lists `cluster`, they must. */
export function withoutCluster(): string | false {
  const missing = ['ipfs', 'ipfs-cluster-service'].find((name) => {
    try {
      accessSync(join(BINARIES, name), constants.X_OK);
      return false;
    } catch {
      return true;
    }
  });
  if (missing === undefined) return false;
  if ((process.env.SHARDCTL_TEST_REQUIRE ?? '').split(',').includes('cluster')) throw new Error(`${missing} is required but not there`);
  return `no ${missing} binary`;
}

export class ClusterLab {
  readonly dir: string;
  readonly peers: readonly [LabPeer, LabPeer, LabPeer];
  /** Of what was started again: the lab does not know of it. */
  readonly #again = new Map<string, number>();
  /** Members that may not be asked yet. */
  readonly #starting = new Set<LabPeer>();

  static start(): ClusterLab {
    const dir = mkdtempSync(join(tmpdir(), 'shardctl-lab-'));
    // Test files run at the same time: each has ports of its own, below those that the system hands out.
    const base = 13_000 + (process.pid % 380) * 50;
    const { status, stderr } = spawnSync(LAB, ['up', dir, '3', String(base)], {
      encoding: 'utf8',
      env: { ...process.env, SHARDCTL_PEERS: BINARIES },
    });
    if (status !== 0) throw new Error(`the lab does not start: ${stderr}`);
    const lab = new ClusterLab(dir);
    // A test that is cut off leaves no daemons behind.
    process.once('exit', () => lab.stop());
    return lab;
  }

  private constructor(dir: string) {
    this.dir = dir;
    const { peers } = JSON.parse(readFileSync(join(dir, 'lab.json'), 'utf8')) as { peers: LabPeer[] };
    this.peers = peers.map((peer) => ({ ...peer, kuboId: kuboIdIn(join(dir, `kubo${peer.name.slice(1)}`)) })) as [
      LabPeer,
      LabPeer,
      LabPeer,
    ];
  }

  stop(): void {
    if (!existsSync(this.dir)) return;
    spawnSync(LAB, ['down', this.dir]);
    for (const pid of this.#again.values()) kill(pid, 'SIGKILL');
    rmSync(this.dir, { recursive: true, force: true });
  }

  /** Unpins everything and collects the garbage. */
  async empty(): Promise<void> {
    const [{ cluster }] = this.peers;
    const lines = (await (await fetch(`${cluster}/allocations?filter=all`)).text()).split('\n').filter((line) => line !== '');
    const cids = lines.map((line) => (JSON.parse(line) as { cid: string }).cid);
    for (const cid of cids) await fetch(`${cluster}/pins/${cid}`, { method: 'DELETE' });
    for (const peer of this.peers) {
      await until(async () => {
        const { Keys: keys = {} } = (await rpc(peer, 'pin/ls')) as { Keys?: Record<string, unknown> };
        return cids.every((cid) => !(cid in keys));
      });
    }
    await this.collectGarbage();
  }

  async collectGarbage(): Promise<void> {
    await Promise.all(this.peers.map((peer) => rpc(peer, 'repo/gc', { silent: 'true' })));
  }

  /** Kills the Cluster daemon of a member, and waits until it is gone: its datastore is locked until then. Its Kubo goes on. */
  async killMember(peer: LabPeer, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    await this.#kill(peer.name, peer.clusterPid, signal);
  }

  /** Kills the Kubo of a member, whose Cluster daemon goes on. */
  async killKubo(peer: LabPeer, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    await this.#kill(`kubo ${peer.name}`, peer.kuboPid, signal);
  }

  /** A daemon of a member takes connections and answers nothing while `work` goes on. */
  async whileFrozen({ name, kuboPid, clusterPid }: LabPeer, daemon: 'kubo' | 'member', work: () => Promise<void>): Promise<void> {
    const pid = daemon === 'kubo' ? (this.#again.get(`kubo ${name}`) ?? kuboPid) : (this.#again.get(name) ?? clusterPid);
    kill(pid, 'SIGSTOP');
    try {
      await work();
    } finally {
      kill(pid, 'SIGCONT');
    }
  }

  /** Starts the Kubo of a member again, where it was, among the others: the Cluster would introduce them half a minute later. */
  async startKubo(peer: LabPeer): Promise<void> {
    const repo = this.#repoOf(peer);
    const log = openSync(join(this.dir, `kubo-${peer.name}.again.log`), 'a');
    const child = spawn(join(BINARIES, 'ipfs'), ['daemon'], { env: { ...process.env, IPFS_PATH: repo }, stdio: ['ignore', log, log] });
    this.#again.set(`kubo ${peer.name}`, child.pid as number);
    await until(async () => (await fetch(`${peer.kubo}/api/v0/id`, { method: 'POST' })).ok);
    for (const other of this.peers) {
      if (other === peer) continue;
      const { Addresses: addresses = [] } = (await rpc(other, 'id')) as { Addresses?: string[] };
      for (const arg of addresses) await rpc(peer, 'swarm/connect', { arg });
    }
    // The member looks for its free space when it is to pin something. If its Kubo gives no answer yet, it tells nobody.
    const since = Date.now();
    await until(async () => {
      await this.#whileSomethingIsPinned(this.#otherThan(peer), () => setTimeout(300));
      return await this.#isHeard('freespace', since);
    });
  }

  /** The Kubo of a member has nothing any more: same identity, same address, an empty datastore. */
  async wipeKubo(peer: LabPeer): Promise<void> {
    await this.killKubo(peer, 'SIGTERM');
    const repo = this.#repoOf(peer);
    const config = join(this.dir, `config-${peer.name}`);
    copyFileSync(join(repo, 'config'), config);
    rmSync(repo, { recursive: true });
    const { status, stderr } = spawnSync(join(BINARIES, 'ipfs'), ['init', config], {
      encoding: 'utf8',
      env: { ...process.env, IPFS_PATH: repo },
    });
    if (status !== 0) throw new Error(`an empty datastore cannot be made: ${stderr}`);
    await this.startKubo(peer);
  }

  #repoOf({ name }: LabPeer): string {
    return join(this.dir, `kubo${name.slice(1)}`);
  }

  async #kill(what: string, first: number, signal: NodeJS.Signals): Promise<void> {
    const pid = this.#again.get(what) ?? first;
    kill(pid, signal);
    await until(async () => !isAlive(pid));
  }

  /** Starts the Cluster daemon of a member again, and waits until the others have its metrics. */
  async startMember(peer: LabPeer): Promise<void> {
    const log = join(this.dir, `${peer.name}.again.log`);
    const env = { ...process.env, IPFS_CLUSTER_PATH: join(this.dir, `cluster${peer.name.slice(1)}`) };
    this.#starting.add(peer);
    await until(async () => {
      const pid = this.#again.get(peer.name);
      // It dies of a request that comes before it is ready, from whomever. As systemd would, this starts it again.
      if (pid === undefined || !isAlive(pid)) {
        const out = openSync(log, 'w');
        const child = spawn(join(BINARIES, 'ipfs-cluster-service'), ['daemon'], { env, stdio: ['ignore', out, out] });
        this.#again.set(peer.name, child.pid as number);
      }
      return readFileSync(log, 'utf8').includes(READY);
    });
    this.#starting.delete(peer);
    await this.#untilHeard(['freespace', 'tag:group', 'tag:zone', 'ping']);
    await this.#untilReached();
    await this.#catchUp(peer);
  }

  /** A member that was killed does not know its last pins until it hears from the others: after a while, or when something changes. */
  async #catchUp(peer: LabPeer): Promise<void> {
    const isSame = async () => new Set(await Promise.all(this.peers.map(stateOf))).size === 1;
    for (const end = Date.now() + WAIT_MS; ; await setTimeout(500)) {
      try {
        // What it is told while it has no mesh of its own yet may be lost on it: so again and again.
        await this.#whileSomethingIsPinned(this.#otherThan(peer), () => until(isSame, TOLD_AGAIN_MS));
        return await until(isSame, TOLD_AGAIN_MS);
      } catch (error) {
        if (Date.now() > end) throw error;
      }
    }
  }

  #otherThan(peer: LabPeer): LabPeer {
    return this.peers.find((it) => it !== peer) as LabPeer;
  }

  /** Has every member pin a block without a byte meanwhile. A member tells the others of its free space whenever it is to pin something. */
  async #whileSomethingIsPinned({ cluster }: LabPeer, work: () => Promise<void>): Promise<void> {
    await fetch(`${cluster}/pins/ipfs/${EMPTY_BLOCK}?mode=direct`, { method: 'POST' });
    try {
      await work();
    } finally {
      await fetch(`${cluster}/pins/${EMPTY_BLOCK}`, { method: 'DELETE' });
    }
  }

  /**
   * Every member reaches every other. Metrics go on through third members, so they say nothing of that: a member that dialed
   * one while it was away waits before it dials again ("dial backoff", 5 s and more), and answers for it with an error until then.
   */
  async #untilReached(): Promise<void> {
    await until(async () => {
      for (const { cluster } of this.peers) {
        const lines = (await (await fetch(`${cluster}/peers`)).text()).split('\n').filter((line) => line !== '');
        const reached = lines.filter((line) => ((JSON.parse(line) as { error?: string }).error ?? '') === '');
        if (reached.length !== this.peers.length) return false;
      }
      return true;
    });
  }

  /** Every member has these metrics of all members, from now on: older ones may be about to end. */
  async #untilHeard(metrics: readonly string[]): Promise<void> {
    const now = Date.now();
    for (const metric of metrics) await until(() => this.#isHeard(metric, now));
  }

  async #isHeard(metric: string, since: number): Promise<boolean> {
    if (this.#starting.size > 0) return false;
    for (const { cluster } of this.peers) {
      const heard = (await (await fetch(`${cluster}/monitor/metrics/${metric}`)).json()) as
        | { valid: boolean; received_at: number }[]
        | null;
      const fresh = heard?.filter(({ valid, received_at }) => valid && received_at > since * 1e6);
      if (fresh?.length !== this.peers.length) return false;
    }
    return true;
  }
}

/** One RPC call to a peer's Kubo; the answer as JSON, or as text when it is none. */
export async function rpc(
  { kubo }: Pick<LabPeer, 'kubo'>,
  command: string,
  query: Readonly<Record<string, string>> = {},
): Promise<unknown> {
  const response = await fetch(`${kubo}/api/v0/${command}?${new URLSearchParams(query)}`, { method: 'POST' });
  const text = await response.text();
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** CIDs that the Cluster wants pinned, as this member knows it. */
async function stateOf({ cluster }: LabPeer): Promise<string> {
  const lines = (await (await fetch(`${cluster}/allocations`)).text()).split('\n').filter((line) => line !== '');
  return lines
    .map((line) => (JSON.parse(line) as { cid: string }).cid)
    .sort()
    .join();
}

/** What the peer's Kubo has pinned, by CID. */
export async function pinsOf(peer: LabPeer, type = 'recursive'): Promise<Record<string, unknown>> {
  return ((await rpc(peer, 'pin/ls', { type })) as { Keys?: Record<string, unknown> }).Keys ?? {};
}

/** Waits for something that the daemons do in their own time. */
export async function until(isSo: () => Promise<boolean>, mostMs = WAIT_MS): Promise<void> {
  const deadline = Date.now() + mostMs;
  for (;;) {
    if (await isSo().catch(() => false)) return;
    if (Date.now() > deadline) throw new Error(`still not so after ${mostMs} ms: ${isSo}`);
    await setTimeout(50);
  }
}

function kuboIdIn(repo: string): string {
  return (JSON.parse(readFileSync(join(repo, 'config'), 'utf8')) as { Identity: { PeerID: string } }).Identity.PeerID;
}
