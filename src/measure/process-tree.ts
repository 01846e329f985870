/** What a command costs that consists of several processes, by proc(5). */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';

const TICKS_A_SECOND = 100;

/** The process and those below it: what it has started, what these have started, and so on, as far as they live. */
export function treeOf(pid: number): number[] {
  const tree = [pid];
  for (const member of tree) tree.push(...childrenOf(member));
  return tree;
}

export function cpuSeconds(tree: readonly number[]): number {
  return tree.reduce((sum, pid) => sum + cpuSecondsOf(pid), 0);
}

/** User and system time of a process, and of its children that have ended: fields 14 to 17 of proc(5), counted after the command's name, which may hold spaces. */
export function cpuSecondsOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / TICKS_A_SECOND;
}

/** Begins to count the peak of each process anew. */
export function resetPeaks(tree: readonly number[]): void {
  for (const pid of tree) writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

/** The most memory that each process had resident since `resetPeaks`, summed: pages that they share count for each of them. */
export function peakBytes(tree: readonly number[]): number {
  return tree.reduce((sum, pid) => sum + memoryOf(pid).peak, 0);
}

/** Resident bytes, now and at most so far; zeros of a process that has ended. */
export function memoryOf(pid: number): { readonly now: number; readonly peak: number } {
  const status = textOf(`/proc/${pid}/status`);
  const bytes = (field: string) => 1024 * Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1] ?? 0);
  return { now: bytes('VmRSS'), peak: bytes('VmHWM') };
}

/** Each thread has a list of the processes that it has started. */
function childrenOf(pid: number): number[] {
  return threadsOf(pid).flatMap((thread) =>
    textOf(`/proc/${pid}/task/${thread}/children`)
      .split(' ')
      .filter((text) => text !== '')
      .map(Number),
  );
}

function threadsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return []; // it has ended meanwhile
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // it has ended meanwhile
  }
}
