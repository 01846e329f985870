/** Chooses how the source is reached on this machine. */
import { fstatSync, lstatSync } from 'node:fs';
import { platform } from 'node:os';
import type { LinuxCalls } from '../core/libc.ts';
import { HandleReach, nameIn } from './handle-reach.ts';
import { PathReach } from './path-reach.ts';
import type { Reach, SourceHandle } from './reach.ts';

/** @param calls only where koffi may be loaded: not in a thread that can be ended at any moment */
export function reachOf(source: SourceHandle, calls?: LinuxCalls): Reach {
  return hasNamesInHandles(source.fd) ? new HandleReach(source.fd, calls) : new PathReach(source);
}

/** Whether names can be looked up under `/proc/self/fd`: on Linux, where `/proc` is mounted. */
function hasNamesInHandles(fd: number): boolean {
  if (platform() !== 'linux') return false;
  try {
    return lstatSync(nameIn(fd, '.')).ino === fstatSync(fd).ino;
  } catch {
    return false;
  }
}
