/** `get`: a tree of a snapshot, or one file of it, back on disk. */
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { displayPath } from './display.ts';
import { errnoOf, ShardctlError } from './errors.ts';
import type { Emit } from './events.ts';
import { joinBytes, toBytes } from './fs-path.ts';
import { loadLibc } from './libc.ts';
import { type BlockId, type ByteString, DIRECTORY, FILE } from './model.ts';
import type { Blocks } from './read/block-source.ts';
import { Destination } from './read/destination.ts';
import { dataOf, linksOf, readEntry, resolve, type TreeEntry } from './read/tree.ts';

export interface GetOptions {
  readonly root: BlockId;
  /** Inside the tree; empty for the tree itself. */
  readonly path: ByteString;
  /** What is written becomes this path: a file is a file there, a directory that directory. */
  readonly out: string;
  readonly blocks: Blocks;
  readonly emit: Emit;
  readonly signal: AbortSignal;
  /** Replace what is there already. What is there and not in the tree stays. */
  readonly overwrite?: boolean;
}

export interface GetSummary {
  readonly files: number;
  readonly directories: number;
  readonly symlinks: number;
  readonly bytes: number;
}

/** Entries and bytes between two turns of the event loop, at which a signal is heard and progress is told. */
const TURN_ENTRIES = 256;
const TURN_BYTES = 32 * 1024 * 1024;

/**
 * Holds one leaf, and the names of the directories on the way to it.
 * @throws ShardctlError `USAGE` when `out` is taken, `DAMAGE` when a block cannot be read, `NO_SPACE`, `IO`; what was restored stays
 */
export async function get(options: GetOptions): Promise<GetSummary> {
  const { root, path, out, blocks, emit, signal, overwrite = false } = options;
  const destination = new Destination({ libc: await loadLibc(), overwrite, emit });
  const counts = { files: 0, directories: 0, symlinks: 0, bytes: 0 };
  let entries = 0;
  let turnAt = { entries: TURN_ENTRIES, bytes: TURN_BYTES };
  let current: ByteString = toBytes(out);

  const entry = await resolve(root, path, blocks);
  try {
    if (!overwrite && destination.isTaken(current, entry.kind === DIRECTORY)) throw taken(out);
    mkdirSync(dirname(out), { recursive: true });
    await restore(current, entry, true);
    tell();
  } catch (error) {
    throw signal.aborted ? error : failure(error, current, out);
  }
  return counts;

  async function restore(at: ByteString, entry: TreeEntry, isRoot: boolean): Promise<void> {
    current = at;
    await turn();
    if (entry.kind === FILE) await restoreFile(at, entry);
    else if (entry.kind === DIRECTORY) {
      destination.enterDirectory(at, entry, isRoot);
      for (const link of await linksOf(entry, blocks)) await restore(joinBytes(at, link.name), await readEntry(link, blocks), false);
      current = at;
      destination.leaveDirectory(at, entry);
      counts.directories++;
    } else {
      destination.createSymlink(at, entry.target ?? new Uint8Array(0), entry);
      counts.symlinks++;
    }
    entries++;
  }

  async function restoreFile(at: ByteString, entry: TreeEntry): Promise<void> {
    const file = destination.createFile(at, entry);
    try {
      for await (const bytes of dataOf(entry, blocks)) {
        destination.write(file, bytes);
        counts.bytes += bytes.length;
        if (counts.bytes >= turnAt.bytes) await turn();
      }
    } catch (error) {
      destination.dropFile(file);
      throw error;
    }
    destination.finishFile(file, entry);
    counts.files++;
  }

  async function turn(): Promise<void> {
    if (entries < turnAt.entries && counts.bytes < turnAt.bytes) return;
    turnAt = { entries: entries + TURN_ENTRIES, bytes: counts.bytes + TURN_BYTES };
    tell();
    await setImmediate();
    signal.throwIfAborted();
  }

  /** The total is 0: how many entries there are is known only at the end. */
  function tell(): void {
    emit({ type: 'progress', label: 'get', done: entries, total: 0, bytes: counts.bytes });
  }
}

function taken(out: string): ShardctlError {
  return new ShardctlError('USAGE', `"${displayPath(toBytes(out))}" is there already, and it is not an empty directory`, {
    hint: 'give another OUT, or --overwrite to replace the files in it',
  });
}

function failure(error: unknown, at: ByteString, out: string): unknown {
  if (error instanceof ShardctlError && error.code === 'USAGE') return error;
  const errno = errnoOf(error);
  if (!(error instanceof ShardctlError) && errno === undefined) return error;
  const code = error instanceof ShardctlError ? error.code : errno === 'ENOSPC' || errno === 'EDQUOT' ? 'NO_SPACE' : 'IO';
  return new ShardctlError(code, `restoring "${displayPath(at)}" failed: ${(error as Error).message}`, {
    hint: `what was restored so far is in ${out}; run the command again with --overwrite to finish it`,
    cause: error,
  });
}
