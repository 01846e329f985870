/** What is compared: shardctl and the tools that people use today, each as its manual says, each into an empty destination. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import type { Command } from './measure.ts';

export interface Tool {
  readonly name: string;
  /** Asks for the version; fails where the tool is not installed. */
  readonly version: Command;
  /** Makes an empty store in `dest`. Not timed. */
  readonly prepare?: (dest: string) => Command;
  /** Takes the tree `source` into `dest`. */
  readonly first: (source: string, dest: string, without?: LeftOut) => Command;
  /** True when the same command again is meant to be cheap: then that is measured, too. */
  readonly incremental: boolean;
  /** The same once more, after the tree may have changed. */
  readonly again: (source: string, dest: string, without?: LeftOut) => Command;
  /** Writes what lies in `dest` to `out`, which is not there: the tree is then at `tree`. */
  readonly back?: (source: string, dest: string, out: string) => { readonly command: Command; readonly tree: string };
  /** What it tells of a run, by its output. */
  readonly said?: (output: string) => Said;
  /** Another way to the same root. */
  readonly twin?: {
    readonly command: (source: string, dest: string, without?: LeftOut) => Command;
    readonly root: (output: string) => string;
  };
}

export interface Said {
  readonly root?: string;
  /** What was stored. */
  readonly newBlocks?: number;
  readonly newBytes?: number;
  readonly newShards?: number;
}

/** What of a tree is not taken. */
export interface LeftOut {
  /** Entries of this name, wherever they are, with all that is in them. */
  readonly name?: string | undefined;
  /** Files that list paths, a line each, as each tool takes them. */
  readonly lists?:
    | {
        /** Rules of rsync: from the tree on, with a slash before. */
        readonly rules: string;
        /** Whole paths. */
        readonly paths: string;
      }
    | undefined;
}

type Words = readonly [string, ...string[]];

const warn = ['--gate-action', 'warn'];

/**
 * A mirror whose indexes contradict its files is judged as everywhere, and not held back: part of it is left out on purpose.
 * @param argv with which the program is started
 */
export function shardctl(argv: Words): Tool {
  const at = (dest: string) => ['--home', join(dest, 'home'), '--json'];
  return {
    name: 'shardctl',
    version: { argv: [...argv, '--version'] },
    first: (source, dest, without) => ({
      argv: [...argv, 'add', source, '--name', 'bench', ...warn, ...at(dest), ...byRules(without)],
    }),
    incremental: true,
    again: (_, dest) => ({ argv: [...argv, 'update', 'bench', ...at(dest)] }),
    back: (_, dest, out) => ({ command: { argv: [...argv, 'get', 'bench', '-o', out, ...at(dest)] }, tree: out }),
    said: summaryIn,
  };
}

export const RESTIC: Tool = {
  name: 'restic',
  version: { argv: ['restic', 'version'] },
  prepare: (dest) => resticCommand(dest, 'init'),
  first: resticBackup,
  incremental: true,
  again: resticBackup,
  back: (source, dest, out) => ({
    command: resticCommand(dest, 'restore', 'latest', '--quiet', '--target', out),
    tree: join(out, source),
  }),
};

export const RSYNC: Tool = {
  name: 'rsync',
  version: { argv: ['rsync', '--version'] },
  first: (source, dest, without) => ({
    argv: ['rsync', '-a', ...byRules(without), `${source}/`, join(dest, 'copy')],
  }),
  incremental: true,
  again: (source, dest, without) => ({ argv: ['rsync', '-a', '--delete', ...byRules(without), `${source}/`, join(dest, 'copy')] }),
  back: (_, dest, out) => ({ command: { argv: ['rsync', '-a', `${join(dest, 'copy')}/`, out] }, tree: out }),
};

/**
 * `ipfs add -r` without a daemon, under the CID profile that is shardctl's default, so that both build the same blocks.
 * @param binary which `ipfs` @param datastore its own default when that is left out @param twin how shardctl is started, to check the root
 */
export function ipfs(
  binary: string,
  { datastore, twin }: { readonly datastore?: [name: string, profile: string]; readonly twin?: Words } = {},
): Tool {
  const env = (dest: string) => ({ IPFS_PATH: join(dest, 'ipfs'), IPFS_TELEMETRY: 'off' });
  const add = (source: string, dest: string, { name: ignored }: LeftOut = {}): Command => ({
    argv: [binary, 'add', '--offline', '-r', '--hidden', '-Q', ...(ignored === undefined ? [] : ['--ignore', ignored]), source],
    env: env(dest),
  });
  const [name, profile] = datastore ?? [];
  return {
    name: name === undefined ? 'ipfs' : `ipfs ${name}`,
    version: { argv: [binary, 'version'] },
    prepare: (dest) => ({
      argv: [binary, 'init', `--profile=${['unixfs-v1-2025', ...(profile ? [profile] : [])].join()}`],
      env: env(dest),
    }),
    first: add,
    incremental: false,
    again: add,
    said: (output) => ({ root: output.trim().split('\n').at(-1) ?? '' }),
    ...(twin && {
      twin: {
        command: (source, dest, without) => ({
          argv: [...twin, 'add', source, '--name', 'twin', '--no-metadata', ...warn, '--home', dest, '--json', ...byRules(without)],
        }),
        root: (output) => summaryIn(output).root ?? '',
      },
    }),
  };
}

/** By its name: benches have `shardctl`, `shardctl to one Kubo`, `fetch, serve`. */
export function isOurs(tool: string): boolean {
  return /^(shardctl|fetch|get)\b/.test(tool);
}

/** For rsync and shardctl, whose options are the same. */
function byRules({ name, lists }: LeftOut = {}): string[] {
  return [...(name === undefined ? [] : ['--exclude', name]), ...(lists === undefined ? [] : ['--exclude-from', lists.rules])];
}

/** Of `add` and `update`; other commands have none. */
function summaryIn(output: string): Said {
  const line = output.split('\n').find((it) => it.startsWith('{"type":"summary"'));
  if (line === undefined) return {};
  const { tree, newBlocks, newBytes, newShards } = JSON.parse(line) as Required<Said> & { readonly tree: string };
  return { root: tree, newBlocks, newBytes, newShards };
}

/** First line of the tool's answer to the version question; undefined when it is not installed. */
export function versionOf({ version }: Pick<Tool, 'version'>): string | undefined {
  const [file, ...args] = version.argv;
  const { status, stdout } = spawnSync(file, args, { encoding: 'utf8' });
  return status === 0 ? (stdout.split('\n', 1)[0] as string).trim() : undefined;
}

/** Versions of the tools that are installed, of those that were asked for; the others are named and left out. */
export function present(
  all: readonly Pick<Tool, 'name' | 'version'>[],
  names: readonly string[],
  log: (line: string) => void,
): Record<string, string> {
  const versions: Record<string, string> = {};
  for (const name of names) {
    const tool = all.find((it) => it.name === name);
    const version = tool && versionOf(tool);
    if (version === undefined) log(tool === undefined ? `there is no tool "${name}": left out` : `${name} is not installed: left out`);
    else versions[name] = version;
  }
  return versions;
}

function resticBackup(source: string, dest: string, { name, lists }: LeftOut = {}): Command {
  const excluded = [...(name === undefined ? [] : ['--exclude', name]), ...(lists === undefined ? [] : ['--exclude-file', lists.paths])];
  return resticCommand(dest, 'backup', '--quiet', ...excluded, source);
}

function resticCommand(dest: string, ...args: string[]): Command {
  return {
    argv: ['restic', '-r', join(dest, 'repository'), '--cache-dir', join(dest, 'cache'), ...args],
    env: { RESTIC_PASSWORD: 'bench' },
  };
}
