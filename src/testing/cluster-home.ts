/** A home whose peers are the members of a lab's Cluster, and a small mirror to put there. */
import { rmSync } from 'node:fs';
import { type ClusterLab, type LabPeer, rpc } from './cluster.ts';
import { type Finished, Program } from './program.ts';
import { writeTree } from './tree.ts';

export interface ShardReplicas {
  readonly cid: string;
  /** Names of the members that say they have it: c1, c2, c3. */
  readonly members: readonly string[];
}

export class ClusterHome {
  readonly program = new Program();
  readonly lab: ClusterLab;
  /** Five shards or so of half a megabyte. */
  readonly source: string;

  /** The lab is emptied for it. */
  static async create(lab: ClusterLab): Promise<ClusterHome> {
    await lab.empty();
    return new ClusterHome(lab);
  }

  private constructor(lab: ClusterLab) {
    this.lab = lab;
    this.source = writeTree(this.program.path('mirror'), {
      pool: Object.fromEntries(Array.from({ length: 80 }, (_, i) => [`package-${i}`, Buffer.alloc(30_000 + i, `${i} `)])),
      link: { link: 'pool/package-1' },
      sub: { empty: {}, '.hidden': 'x' },
    });
  }

  /** Options of `peers add cluster` that say where each member's Kubo is. */
  get kubos(): string[] {
    return this.lab.peers.flatMap(({ name, kubo }) => ['--kubo', `${name}=${kubo}`]);
  }

  setUp(...options: string[]): void {
    this.setUpAt(this.lab.peers[0].cluster, ...options);
  }

  setUpAt(url: string, ...options: string[]): void {
    this.program.succeeds('peers', 'add', 'cluster', url, '--name', 'lab', ...options);
  }

  add(...options: string[]): Finished {
    return this.program.succeeds('add', this.source, '--shard-size', '512KiB', '--replication', '2', ...options);
  }

  /** Who has each shard of the mirror, by the word of the members. */
  async replicas(): Promise<ShardReplicas[]> {
    const [{ cluster }] = this.lab.peers;
    const lines = (await (await fetch(`${cluster}/pins?filter=pinned`)).text()).split('\n').filter((line) => line !== '');
    const pins = lines.map((line) => JSON.parse(line) as PinLine);
    return pins
      .filter(({ name }) => /^mirror \d{8}$/.test(name))
      .map(({ cid, peer_map }) => {
        const pinned = Object.values(peer_map).filter(({ status }) => status === 'pinned');
        return { cid, members: pinned.map(({ peername }) => peername).sort() };
      })
      .sort((a, b) => a.cid.localeCompare(b.cid));
  }

  /** Roots of the head that the member's Kubo has pinned by themselves. */
  async rootsOn(peer: LabPeer): Promise<string[]> {
    const { Keys: direct = {} } = (await rpc(peer, 'pin/ls', { type: 'direct' })) as { Keys?: object };
    // Without what homes say of themselves, which is a CID with the identity in it.
    return Object.keys(direct)
      .filter((cid) => !cid.startsWith('bafkqa'))
      .sort();
  }

  /** The mirror as the program gives it back. */
  got(): string {
    const copy = this.program.path('copy');
    rmSync(copy, { recursive: true, force: true });
    this.program.succeeds('get', 'mirror', '-o', 'copy');
    return copy;
  }

  dispose(): void {
    this.program.dispose();
  }
}

interface PinLine {
  readonly cid: string;
  readonly name: string;
  readonly peer_map: Record<string, { readonly peername: string; readonly status: string }>;
}
