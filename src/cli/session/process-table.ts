/** Which processes run on this machine, as `/proc` tells it; on other systems pids alone have to do. */
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { kill, pid } from 'node:process';
import type { ProcessTable } from '../../home/lock-files.ts';

export function systemProcesses(): ProcessTable {
  const machine = firstLine('/etc/machine-id');
  const boot = firstLine('/proc/sys/kernel/random/boot_id');
  const scope = boot === '' ? '' : [machine, boot, link('/proc/self/ns/pid')].join(' ');
  return {
    self: () => ({ pid, host: hostname(), scope, started: startedOf(pid) ?? '' }),
    startedOf,
    isPast(other) {
      const [otherMachine, otherBoot] = other.split(' ');
      return machine !== '' && otherMachine === machine && otherBoot !== boot;
    },
  };
}

/** Clock ticks from boot to the start of the process: field 22 of stat, counted behind the name, which may hold anything. */
function startedOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // A zombie has ended; only its parent has not asked yet.
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
  } catch {
    return existsWithoutProc(pid) ? '' : undefined;
  }
}

function existsWithoutProc(pid: number): boolean {
  if (firstLine('/proc/self/stat') !== '') return false;
  try {
    kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it is there, but somebody else's.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function firstLine(file: string): string {
  try {
    return readFileSync(file, 'latin1').split('\n', 1)[0] ?? '';
  } catch {
    return '';
  }
}

function link(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}
