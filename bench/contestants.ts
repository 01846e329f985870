/** What is compared on real peers: shardctl, and the daemons' own `add`, each with settings that give the same chunks. */
import { join } from 'node:path';
import type { Command } from '../src/measure/measure.ts';
import type { LabMember, LabSize } from './lab.ts';
import type { LineOptions } from './line.ts';
import { binary, SHARDCTL } from './tools.ts';

export interface Contestant {
  readonly name: string;
  /** Whom it is compared with: the first of a group is its measure. */
  readonly group: string;
  readonly version: Command;
  readonly lab: LabSize;
  /** What lies in front of the RPC of the last member's Kubo. */
  readonly line?: LineOptions;
  /** Not timed. */
  readonly prepare: (members: readonly LabMember[], dest: string) => readonly Command[];
  /** Takes the whole tree `source` into the daemons. */
  readonly timed: (members: readonly LabMember[], dest: string, source: string) => Command;
}

const KUBO = 'Kubo';
const PLAIN = 'Kubo, no metadata';
const CLUSTER = 'Cluster, 2 of 3';
const ONE: LabSize = { members: 1, cluster: false };
const THREE: LabSize = { members: 3, cluster: false };
const MEMBERS: LabSize = { members: 3, cluster: true };
/** The chunks of shardctl's default profile. */
const SAME_CHUNKS = ['--cid-version', '1', '--chunker', 'size-1048576', '--hidden'];
const RAW_LEAVES = [...SAME_CHUNKS, '--raw-leaves'];
/** Kubo puts mode and mtime of a file of one chunk into its only block, which then cannot be raw. */
const WITH_METADATA = [...SAME_CHUNKS, '--raw-leaves=false', '--preserve-mode', '--preserve-mtime'];

export const CONTESTANTS: readonly Contestant[] = [
  shardctl('shardctl to one Kubo', KUBO, ONE),
  ipfsAdd('ipfs add -r --preserve-mode --preserve-mtime', KUBO, WITH_METADATA),
  shardctl('shardctl to three Kubo', KUBO, THREE),
  shardctl('shardctl --replication 2 to three Kubo', KUBO, THREE, ['--replication', '2']),
  shardctl('shardctl --no-metadata to one Kubo', PLAIN, ONE, ['--no-metadata']),
  ipfsAdd('ipfs add -r', PLAIN, RAW_LEAVES),
  shardctl('shardctl by Kubo', CLUSTER, MEMBERS, ['--replication', '2'], true),
  shardctl('shardctl --no-metadata by Kubo', CLUSTER, MEMBERS, ['--replication', '2', '--no-metadata'], true),
  shardctl('shardctl by REST', CLUSTER, MEMBERS, ['--replication', '2']),
  shardctl('shardctl --no-metadata by REST', CLUSTER, MEMBERS, ['--replication', '2', '--no-metadata']),
  clusterAdd('ipfs-cluster-ctl add -r', []),
  clusterAdd('ipfs-cluster-ctl add -r --wait', ['--wait']),
  clusterAdd('ipfs-cluster-ctl add -r --local --wait', ['--local', '--wait']),
];

const SLOW = 'three Kubo, one behind a line of 1 MB/s';

/** Memory must not grow with the tree while one of the peers is slow. */
export const SLOWED: readonly Contestant[] = [
  shardctl('shardctl', SLOW, THREE),
  shardctl('shardctl --replication 2', SLOW, THREE, ['--replication', '2']),
].map((contestant) => ({ ...contestant, line: { bytesPerSecond: 1e6 } }));

function shardctl(name: string, group: string, lab: LabSize, options: readonly string[] = [], kubosKnown = false): Contestant {
  const command = (dest: string, ...args: string[]): Command => ({
    argv: [process.execPath, SHARDCTL, ...args, '--home', join(dest, 'home'), '--quiet'],
  });
  return {
    name,
    group,
    version: { argv: [process.execPath, SHARDCTL, '--version'] },
    lab,
    prepare: (members, dest) => {
      if (!lab.cluster) return members.map((member) => command(dest, 'peers', 'add', 'kubo', member.kubo, '--name', member.name));
      const kubos = kubosKnown ? members.flatMap((member) => ['--kubo', `${member.name}=${member.kubo}`]) : [];
      return [command(dest, 'peers', 'add', 'cluster', members[0]?.cluster as string, '--name', 'bench', ...kubos)];
    },
    timed: (_, dest, source) => command(dest, 'add', source, '--name', 'bench', ...options),
  };
}

function ipfsAdd(name: string, group: string, options: readonly string[]): Contestant {
  const ipfs = binary('ipfs');
  return {
    name,
    group,
    version: { argv: [ipfs, 'version'] },
    lab: ONE,
    prepare: () => [],
    timed: (members, _, source) => ({
      argv: [ipfs, ...apiOf(members[0] as LabMember), 'add', '-r', '-Q', ...options, source],
    }),
  };
}

function clusterAdd(name: string, options: readonly string[]): Contestant {
  const ctl = binary('ipfs-cluster-ctl');
  return {
    name,
    group: CLUSTER,
    version: { argv: [ctl, '--version'] },
    lab: MEMBERS,
    prepare: () => [],
    timed: (members, _, source) => {
      const { hostname, port } = new URL(members[0]?.cluster as string);
      const host = ['--host', `/ip4/${hostname}/tcp/${port}`];
      return { argv: [ctl, ...host, 'add', '-r', '-Q', '--rmin', '2', '--rmax', '2', ...RAW_LEAVES, ...options, source] };
    },
  };
}

export function apiOf({ kubo }: LabMember): readonly string[] {
  const { hostname, port } = new URL(kubo);
  return ['--api', `/ip4/${hostname}/tcp/${port}`];
}
