/** What is compared: shardctl and the tools that people use today, each as its manual says, each into an empty destination. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Command } from './measure.ts';

export interface Tool {
  readonly name: string;
  /** Asks for the version; fails where the tool is not installed. */
  readonly version: Command;
  /** Makes an empty store in `dest`. Not timed. */
  readonly prepare?: (dest: string) => Command;
  /** Takes the whole tree `source` into `dest`. */
  readonly first: (source: string, dest: string) => Command;
  /** True when the same command again is meant to be cheap: then that is measured, too. */
  readonly incremental: boolean;
  /** The same once more, after the tree may have changed. */
  readonly again: (source: string, dest: string) => Command;
}

export const SHARDCTL = join(import.meta.dirname, '..', '..', 'bin', 'shardctl.js');

const shardctl: Tool = {
  name: 'shardctl',
  version: { argv: [process.execPath, SHARDCTL, '--version'] },
  first: (source, dest) => ({
    argv: [process.execPath, SHARDCTL, 'add', source, '--name', 'bench', '--home', join(dest, 'home'), '--quiet'],
  }),
  incremental: true,
  again: (_, dest) => ({
    argv: [process.execPath, SHARDCTL, 'update', 'bench', '--home', join(dest, 'home'), '--json'],
  }),
};

const restic: Tool = {
  name: 'restic',
  version: { argv: ['restic', 'version'] },
  prepare: (dest) => resticCommand(dest, 'init'),
  first: (source, dest) => resticCommand(dest, 'backup', '--quiet', source),
  incremental: true,
  again: (source, dest) => resticCommand(dest, 'backup', '--quiet', source),
};

const rsync: Tool = {
  name: 'rsync',
  version: { argv: ['rsync', '--version'] },
  first: (source, dest) => ({ argv: ['rsync', '-a', `${source}/`, join(dest, 'copy')] }),
  incremental: true,
  again: (source, dest) => ({ argv: ['rsync', '-a', '--delete', `${source}/`, join(dest, 'copy')] }),
};

export const TOOLS: readonly Tool[] = [shardctl, ipfs('pebble', 'pebbleds'), ipfs('flatfs', 'flatfs'), restic, rsync];

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

/** `ipfs add -r` without a daemon, under the CID profile that is shardctl's default, so that both build the same blocks. */
function ipfs(name: string, datastore: string): Tool {
  const built = join(process.env.SHARDCTL_PEERS ?? join(homedir(), '.cache', 'shardctl-peers'), 'ipfs');
  const binary = existsSync(built) ? built : 'ipfs';
  const env = (dest: string) => ({ IPFS_PATH: join(dest, 'ipfs'), IPFS_TELEMETRY: 'off' });
  const add = (source: string, dest: string): Command => ({
    argv: [binary, 'add', '--offline', '-r', '--hidden', '-Q', source],
    env: env(dest),
  });
  return {
    name: `ipfs ${name}`,
    version: { argv: [binary, 'version'] },
    prepare: (dest) => ({ argv: [binary, 'init', `--profile=unixfs-v1-2025,${datastore}`], env: env(dest) }),
    first: add,
    incremental: false,
    again: add,
  };
}

function resticCommand(dest: string, ...args: string[]): Command {
  return {
    argv: ['restic', '-r', join(dest, 'repository'), '--cache-dir', join(dest, 'cache'), ...args],
    env: { RESTIC_PASSWORD: 'bench' },
  };
}
