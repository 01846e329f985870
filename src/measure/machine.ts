/** What measurements hold for. */
import { readFileSync, statfsSync } from 'node:fs';
import { availableParallelism, cpus, totalmem } from 'node:os';

const TMPFS_MAGIC = 0x01021994;

/** Names neither the machine nor any path on it. */
export interface Machine {
  readonly cores: number;
  readonly processor: string;
  readonly memoryBytes: number;
  readonly node: string;
  readonly destination: 'tmpfs' | 'disk';
  /** Work of others at the start, over one minute: above zero the absolute numbers are worse than they could be. */
  readonly load: number;
}

/** @param node its version */
export function machineOf(dest: string, node: string): Machine {
  return {
    cores: availableParallelism(),
    processor: cpus()[0]?.model ?? 'unknown',
    memoryBytes: totalmem(),
    node,
    destination: statfsSync(dest).type === TMPFS_MAGIC ? 'tmpfs' : 'disk',
    load: Number(readFileSync('/proc/loadavg', 'utf8').split(' ')[0]),
  };
}
