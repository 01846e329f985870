/** Worker thread of `count-ahead.ts`: walks the source as `add` does, and says how much there is. */
import { parentPort, workerData } from 'node:worker_threads';
import { type ByteString, DIRECTORY, FILE } from '../../core/model.ts';
import { openSource } from '../../source/source.ts';
import { compileFilter } from '../../update/scan/filter.ts';
import { Links } from '../../update/scan/links.ts';
import { walk } from '../../update/scan/walk.ts';
import { DROPPED } from '../../walk/directory.ts';

/** What this thread is asked. */
export interface CountRequest {
  readonly source: ByteString;
  readonly filters: readonly ByteString[];
  readonly copyLinks: boolean;
}

/** What it has counted so far, as in the event `scan`. */
export interface Count {
  files: number;
  directories: number;
  symlinks: number;
  bytes: number;
  done: boolean;
}

/** Directories between two messages. */
const EVERY = 256;

const { source, filters, copyLinks } = workerData as CountRequest;
// What cannot be read is reported by the import, and passed over here.
// Opened without koffi, because a thread must not be terminated while koffi is being loaded.
const opened = openSource(source, undefined);
const links = copyLinks ? new Links(opened) : undefined;
const steps = walk(opened, { filter: compileFilter(filters), links, emit: () => {}, signal: new AbortController().signal });
const count: Count = { files: 0, directories: 1, symlinks: 0, bytes: 0, done: false };
let directories = 0;
for (const step of steps) {
  if (step.kind !== 'enter') continue;
  const { directory } = step;
  for (let index = 0; index < directory.count; index += 1) {
    if (directory.states[index] === DROPPED) continue;
    if (directory.kinds[index] === FILE) {
      count.files += 1;
      count.bytes += directory.sizeOf(index);
    } else if (directory.kinds[index] === DIRECTORY) count.directories += 1;
    else count.symlinks += 1;
  }
  directories += 1;
  if (directories % EVERY === 0) parentPort?.postMessage(count);
}
parentPort?.postMessage({ ...count, done: true });
