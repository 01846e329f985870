/** What reporters are tested with: events, what they make of them, and a terminal. */

import { Output } from '../cli/reporter/output.ts';
import type { Reporter } from '../cli/reporter/reporter.ts';
import type { Event, Summary } from '../core/events.ts';
import { MemorySink } from './memory-sink.ts';

export const MIB = 1024 ** 2;
export const SUMMARY: Summary = {
  repository: 'debian',
  snapshot: 'bafysnapshot',
  number: 2,
  tree: 'bafytree',
  unchanged: false,
  files: 40_012,
  directories: 1,
  symlinks: 3,
  bytes: 300 * MIB,
  newFiles: 12,
  resumedFiles: 0,
  changedEntries: 14,
  newBlocks: 34,
  newBytes: 1.5 * MIB,
  newShards: 1,
  peers: [{ name: 'disk1', freeBefore: 1024 * MIB, freeAfter: 1000 * MIB, placedBytes: 24 * MIB }],
  problems: { unreadable: 2, vanished: 0, changed: 0, special: 1 },
  seconds: 4,
};
export const SUMMARY_TEXT = `debian@2: committed
  holds     40,012 files, 300.0 MiB, 1 directory, 3 symlinks
  new       12 files, 34 blocks, 1.5 MiB in 1 shard
  left out  2 unreadable, 1 not a file, directory or symlink
  peer      disk1: 24.0 MiB placed, free 1.0 GiB → 1000.0 MiB
  root      bafytree
  snapshot  bafysnapshot
  time      4.0 s, 75.0 MiB/s
`;
export const PROBLEMS: Event[] = [
  { type: 'entry', problem: 'unreadable', path: 'pool/a', detail: 'EACCES', kept: true },
  { type: 'entry', problem: 'vanished', path: 'pool/b', detail: 'ENOENT' },
  { type: 'entry', problem: 'special', path: 'fifo', detail: 'a FIFO' },
  { type: 'warning', message: 'peer disk2 is away', hint: 'mount it' },
  { type: 'damage', what: 'shard 3', where: 'disk1', detail: '1 byte too short' },
];
export const PROBLEM_TEXT = `cannot read: pool/a: EACCES (the version of the last snapshot stays)
vanished: pool/b: ENOENT
skipped: fifo: a FIFO
warning: peer disk2 is away; mount it
damage: shard 3 on disk1: 1 byte too short
`;
export const FAILURE = { code: 43, error: { code: 'NO_SPACE', message: 'no space left\non disk1', hint: 'free some' } };
export const FAILURE_TEXT = 'shardctl: no space left on disk1; free some\n';

/** A clock that moves when told to. */
export class Clock {
  ms = 0;
  readonly now = () => this.ms;
}

export function rig(make: (output: Output, clock: Clock) => Reporter, terminal?: { columns: number }) {
  const [stdout, stderr, clock] = [new MemorySink(terminal), new MemorySink(terminal), new Clock()];
  const output = new Output(stdout, stderr);
  const reporter = make(output, clock);
  const feed = (...events: Event[]) => {
    for (const event of events) reporter.event(event);
  };
  return { output, reporter, stdout, stderr, clock, feed };
}

export function scan(files: number, bytes: number, done: boolean): Event {
  return { type: 'scan', files, directories: 1, symlinks: 0, bytes, done };
}

export function imported(files: number, bytes: number): Event {
  return { type: 'import', files, bytes, unchanged: 0 };
}
