/** The contestants of `add`, `update` and `memory`, and what of this process each bench needs. */
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { measurer } from '../src/measure/measure.ts';
import { ipfs, RESTIC, RSYNC, shardctl, type Tool } from '../src/measure/tools.ts';

export const measure = measurer(process);

export const SHARDCTL = join(import.meta.dirname, '..', '..', 'bin', 'shardctl.js');

/** As `scripts/peers/build` makes it, else the one that is installed. */
export function binary(name: string): string {
  const built = join(process.env.SHARDCTL_PEERS ?? join(homedir(), '.cache', 'shardctl-peers'), name);
  return existsSync(built) ? built : name;
}

export const TOOLS: readonly Tool[] = [
  shardctl([process.execPath, SHARDCTL]),
  ipfs(binary('ipfs'), { datastore: ['pebble', 'pebbleds'] }),
  ipfs(binary('ipfs'), { datastore: ['flatfs', 'flatfs'] }),
  RESTIC,
  RSYNC,
];
