/** What helps when the disk of the home is full depends on what else lies on it. */
import { statSync } from 'node:fs';
import { ShardctlError } from '../../core/errors.ts';
import { loadConfig } from '../../home/config-file.ts';
import type { HomePaths } from '../../home/home.ts';
import { localPaths } from './peers.ts';

/** @returns the error with what helps, when what could not be written is of the home; else as it is */
export async function withItsDisk(error: ShardctlError, home: HomePaths, version: string): Promise<ShardctlError> {
  const config = await loadConfig(home, version).catch(() => undefined);
  const peers = config === undefined ? [] : localPaths(home, config);
  const { path, message, cause } = error;
  if (path === undefined || !isIn(path, home.dir) || peers.some(([, dir]) => isIn(path, dir))) return error;
  const disk = diskOf(home.dir);
  const beside = peers.filter(([, dir]) => disk !== undefined && diskOf(dir) === disk).map(([{ name }]) => name);
  return new ShardctlError('NO_SPACE', `${message}: the disk of the home is full`, { hint: hintFor(home.dir, beside), cause, path });
}

function hintFor(dir: string, beside: readonly string[]): string {
  const after = 'then run the same command again: it goes on where it stopped';
  if (beside.length === 0) {
    return `free some space on the disk of ${dir}, on which no peer lies, so that \`shardctl prune\` frees next to nothing there; ${after}`;
  }
  const peers = beside.length === 1 ? `peer ${beside[0]} lies` : `peers ${beside.join(', ')} lie`;
  return `free some space there, or let \`shardctl prune\` do it, which works on a full disk, too: ${peers} on the same one; ${after}`;
}

function isIn(path: string, dir: string): boolean {
  return path === dir || path.startsWith(`${dir}/`);
}

function diskOf(dir: string): number | undefined {
  try {
    return statSync(dir).dev;
  } catch {
    return undefined;
  }
}
