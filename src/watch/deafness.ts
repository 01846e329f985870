/** Why changes of a source cannot be heard of, and what helps. */
import { readFileSync } from 'node:fs';
import { formatTime } from '../home/times.ts';

/**
 * `system`: it has no inotify, or the program that calls it could not be loaded; `instances`: there may be no further instance of it;
 * `limit`: no further watch; `remote`: the file system is changed by others.
 */
export type Deafness = 'system' | 'instances' | 'limit' | 'remote';

export function wordsOf(deafness: Deafness, everyMs: number): { readonly reason: string; readonly hint: string } {
  const hint = `everything is looked at every ${formatTime(everyMs)} (--every)`;
  switch (deafness) {
    case 'system':
      return { reason: 'this system does not tell what changes in a directory', hint };
    case 'instances':
      return { reason: 'this user may have no further instance of inotify', hint: `${raised('max_user_instances')}; until then ${hint}` };
    case 'limit':
      return { reason: 'this user may watch no further directory', hint: `${raised('max_user_watches')}; until then ${hint}` };
    case 'remote':
      return { reason: 'a part of the source is on another machine, or in another process, which does not tell what changes there', hint };
  }
}

/** @param name of a setting below `fs.inotify` */
function raised(name: string): string {
  try {
    const now = Number(readFileSync(`/proc/sys/fs/inotify/${name}`, 'latin1'));
    return `\`sysctl fs.inotify.${name}=${2 * now}\` allows twice as many`;
  } catch {
    return `raise fs.inotify.${name} with \`sysctl\``;
  }
}
