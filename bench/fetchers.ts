/** What is compared on copying a tree from another machine: shardctl, and the tools that mirrors are copied with today. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from '../src/measure/measure.ts';
import { apiOf } from './contestants.ts';
import type { LabMember } from './lab.ts';
import { CURL } from './load.ts';
import { binary, SHARDCTL } from './tools.ts';

/** Requests that curl has under way at once. */
const PARALLEL = 8;

/** A state of the tree, as each kind of server gives it. */
export interface TreeState {
  /** Name of its folder on nginx and the rsync daemon. */
  readonly folder: string;
  /** Its number in the homes. */
  readonly number: number;
  /** CIDs of the tree, and of its snapshots: one home was served, another has the three Kubo. */
  readonly tree: string;
  readonly snapshots: { readonly serve: string; readonly kubo: string };
  /** Paths of the files, and bytes of all of them. */
  readonly files: readonly string[];
  readonly bytes: number;
}

/** Where everything is that may be read from, as seen from where the copy is to be. */
export interface Sources {
  /** Without a slash at their ends. */
  readonly nginx: string;
  readonly serve: string;
  /** Port of the rsync daemon. */
  readonly rsync: string;
  readonly kubos: readonly LabMember[];
  /** Homes whose peers are a directory, the RPC of the three Kubo, and their gateways. */
  readonly homes: { readonly local: string; readonly rpc: string; readonly gateway: string };
  /** The tree itself, on this disk. */
  readonly source: string;
  /** Folder for lists. */
  readonly scratch: string;
}

export interface Fetcher {
  readonly name: string;
  readonly version: Command;
  /** Reads what is on this machine: not measured at a distance. */
  readonly isLocal?: boolean;
  /** Reads from the three Kubo, which are started only then. */
  readonly usesKubo?: boolean;
  /** Copies the whole tree to `out`, which is not there. */
  readonly first: (from: Sources, state: TreeState, out: string) => Command;
  /** Brings `out`, which is an earlier state, to this one. Absent where the tool can only copy everything again. */
  readonly update?: (from: Sources, state: TreeState, out: string) => Command;
}

const SHARDCTL_VERSION: Command = { argv: [process.execPath, SHARDCTL, '--version'] };
const IPFS = binary('ipfs');

export const FETCHERS: readonly Fetcher[] = [
  {
    name: 'curl --parallel 8, nginx',
    version: CURL,
    first: curl([]),
    update: curl(['time-cond']),
  },
  fetcher('fetch, serve', 'serve', ({ serve }) => [serve]),
  { ...fetcher('fetch, three Kubo', 'kubo', ({ kubos }) => kubos.map(({ gateway }) => gateway)), usesKubo: true },
  { ...getter('get, three Kubo by RPC', ({ homes }) => homes.rpc), usesKubo: true },
  { ...getter('get, three Kubo by gateway', ({ homes }) => homes.gateway), usesKubo: true },
  rsync(),
  wget(),
  {
    name: 'ipfs get, three Kubo',
    version: { argv: [IPFS, 'version'] },
    usesKubo: true,
    first: ({ kubos }, { tree }, out) => ({ argv: [IPFS, ...apiOf(kubos[0] as LabMember), 'get', '-o', out, tree] }),
  },
  {
    name: 'cp -a',
    version: { argv: ['cp', '--version'] },
    isLocal: true,
    first: ({ source }, { folder }, out) => ({ argv: ['cp', '-a', join(source, folder), out] }),
  },
  { ...getter('get, local peer', ({ homes }) => homes.local), isLocal: true },
];

function fetcher(name: string, of: keyof TreeState['snapshots'], gateways: (from: Sources) => readonly string[]): Fetcher {
  const command = (from: Sources, { snapshots }: TreeState, out: string): Command => ({
    argv: [process.execPath, SHARDCTL, 'fetch', snapshots[of], out, ...gateways(from).flatMap((url) => ['--via', url]), '--quiet'],
  });
  return { name, version: SHARDCTL_VERSION, first: command, update: command };
}

function getter(name: string, homeOf: (from: Sources) => string): Fetcher {
  return {
    name,
    version: SHARDCTL_VERSION,
    first: (from, { number }, out) => ({
      argv: [process.execPath, SHARDCTL, 'get', `bench@${number}`, '-o', out, '--home', homeOf(from), '--quiet'],
    }),
  };
}

/** @param options of each transfer whose value is the path of the file: `time-cond` fetches what is newer than that */
function curl(options: readonly string[]): Fetcher['first'] {
  return ({ nginx, scratch }, { folder, files }, out) => {
    const list = join(scratch, 'curl-list');
    const transfer = (path: string) => {
      const target = join(out, path);
      const more = options.map((option) => `${option} = "${target}"\n`);
      return `url = "${nginx}/${folder}/${path}"\noutput = "${target}"\ncreate-dirs\nremote-time\nfail\n${more.join('')}`;
    };
    writeFileSync(list, files.map(transfer).join('next\n'));
    return { argv: ['curl', '--silent', '--show-error', '--parallel', '--parallel-max', String(PARALLEL), '--config', list] };
  };
}

/** One file after the other, with its mtime. */
function wget(): Fetcher {
  const command = ({ nginx, scratch }: Sources, { folder, files }: TreeState, out: string): Command => {
    const list = join(scratch, 'wget-list');
    writeFileSync(list, files.map((path) => `${nginx}/${folder}/${path}\n`).join(''));
    mkdirSync(out, { recursive: true });
    return { argv: ['wget', '--quiet', '--timestamping', '-x', '-nH', '--cut-dirs=1', '-P', out, '-i', list] };
  };
  return { name: 'wget, nginx', version: { argv: ['wget', '--version'] }, first: command, update: command };
}

function rsync(): Fetcher {
  const command = ({ rsync: port }: Sources, { folder }: TreeState, out: string): Command => ({
    argv: ['rsync', '-a', '--delete', `rsync://127.0.0.1:${port}/trees/${folder}/`, `${out}/`],
  });
  return { name: 'rsync -a, its daemon', version: { argv: ['rsync', '--version'] }, first: command, update: command };
}
