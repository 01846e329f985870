/** What a server costs: all processes that it consists of, together. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpuSecondsOf } from './lab.ts';

/** The process and all that it has started, and they, as far as they live. */
export function treeOf(pid: number): number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    const parent = /^\d+$/.test(name) ? parentOf(Number(name)) : undefined;
    if (parent !== undefined) parents.set(Number(name), parent);
  }
  const tree = [pid];
  for (const member of tree) for (const [child, parent] of parents) if (parent === member) tree.push(child);
  return tree;
}

export function cpuSeconds(tree: readonly number[]): number {
  return tree.reduce((sum, pid) => sum + cpuSecondsOf(pid), 0);
}

/** Begins to count the peak of each process anew. */
export function resetPeaks(tree: readonly number[]): void {
  for (const pid of tree) writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

/** The most memory that each process had resident since `resetPeaks`, summed: pages that they share count for each of them. */
export function peakBytes(tree: readonly number[]): number {
  return tree.reduce((sum, pid) => sum + 1024 * Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]), 0);
}

function parentOf(pid: number): number | undefined {
  try {
    // Field 4 of proc(5), counted after the command's name, which may hold spaces.
    return Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ')[1]);
  } catch {
    return undefined; // it has ended meanwhile
  }
}
